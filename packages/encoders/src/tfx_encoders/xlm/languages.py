"""What the Moses scripts do otherwise in the languages that XLM and FlauBERT were trained on.

Languages that are not named here are read as the scripts read those that they do not know: with English abbreviations,
and apostrophes that stand alone.
"""

from string import ascii_uppercase
from typing import Any

from tfx_core.text.recipes import MOSES_ENGLISH, MosesLanguage

_CAPITALS = " ".join(ascii_uppercase)
_SMALL = _CAPITALS.lower()

_INITIALS = {
    "cs": "",
    "de": f"{_CAPITALS} {_SMALL} {' '.join(map(str, range(1, 100)))}",  # ordinals
    "el": "Α Β Γ Δ Ε Ζ Η Θ Ι Κ Λ Μ Ν Ξ Ο Π Ρ Σ Τ Υ Φ Χ Ψ Ω",
    "et": f"{_CAPITALS} Å Ä Ö",
    "fi": f"{_CAPITALS} Å Ä Ö",
    "fr": f"{_CAPITALS} {_SMALL[2:]}",  # "a" is a word
    "gu": "ક ખ ગ ઘ ઙ ચ છ જ ઝ ઞ ટ ઠ ડ ઢ ણ ત થ દ ધ ન પ ફ બ ભ મ ય ર લ વ શ ષ સ હ",
    "hi": "क ख ग घ ङ च छ ज झ ञ ट ठ ड ढ ण त थ द ध न प फ ब भ म य र ल व श ष स ह",
    "hu": f"{_CAPITALS} Á É Í Ó Ö Ő Ú Ü Ű",
    "is": f"{_CAPITALS} {_SMALL}",
    "lt": f"{_CAPITALS} Č Š Ū Ž",
    "lv": f"{_CAPITALS} Ā Č Ē Ģ Ī Ķ Ļ Ņ Š Ū Ž",
    "pl": f"{_CAPITALS} Ć Ś Ź Ż",
    "pt": f"{_CAPITALS} {_SMALL.replace('p', '')}",
    "ru": f"{_CAPITALS} А Б В Г Д Е Ж З И Й К Л М Н О П Р С Т У Ф Х Ц Ч Ш Щ Ъ Ы Ь Э Ю Я",
    "sv": f"{_CAPITALS} Å Ä Ö",
    **dict.fromkeys(("bn", "kn", "ml", "mr", "ta", "te"), ""),
}
"""Letters that stand for names, where they are not the Latin capitals alone."""

_ABBREVIATIONS = {
    "ca": "Prof al n Dr Dra pàg p c av Sr Sra adm esq ptes Sta St pl màx cast dir fra admdora Emm Excma espf dc tel "
    "angl aprox ca dept dj dl dt ds dg dv ed núm",
    "cs": "no nr vs vol Bc BcA Ing MUDr JUDr PhDr RNDr ThDr Mgr Dr doc prof p sv st gen atd apod např tzv tj tzn "
    "resp mj popř č čj roč hl odd vyd pozn srov aj n s r mld tis hod obr tab m abt ad adj adv angl ap astr atp biol "
    "bot čes čp dat dep dop dosl ed ekon event ev fem fil franc fyz geol germ gram hist hud chem ind it jap kanad "
    "konkr kr lat lid lit lok mat metr mod náb něm nom obch okr pejor pl pol práv předl rus ř řec slov stol subj "
    "tech var voj vulg zájm zast zejm",
    "de": "etc pp Ltd Corp Sr Dr Prof Art Co Ca Gen Lt Mio Mrd Mr Mrs Ms Nr Op Rep Sen St Std Zt bzgl bzw ca dgl "
    "evtl ff ggf sen sog usw vgl vs",
    "el": "Δρ κ κα δηλ βλ σελ κλπ κτλ αρ άρθρ καθ τ παρ εκ εκατ δισ χιλ πρβλ αριθ ν κεφ αι ανθ αριθμ αυτ γρ γεν "
    "γεωγρ δημ εκδ επ επιμ εφ ιατρ ιδ ιστ κύρ κυρ λ λατ μαθ μ μετ μτφ νομ οικ ορ πίν πρ π σ σημ συν σχ τεύχ υπ φιλολ "
    "φυσ χημ χρ ψυχ ετ",
    "es": "p c cm mm Sr Sra Srta Dr Dra Da Ud Uds Vd Vds Lic Prof Gral Sta Sto Av Excmo Tel admón av cap dcha ej etc "
    "izq kg km núm pág págs ptas s vol Apdo Bco cta",
    "et": "mm t prof par toim v",
    "fi": "alik alil amir apul arkkit ass assist dipl fil kapt kers kom luutn maist mm nk prof siht t toim esim huom "
    "v ent po",
    "fr": "al MM av apr env etc éd art vol chap cf ex fig hab ibid id pp pl sq sqq suiv tél vb vs boul ca dir fém "
    "inf lib masc sec sup",
    "ga": "Uacht Dr Co Cf cf r Chr",
    "gu": "શ્રી ડૉ",
    "hi": "डॉ श्री",
    "hu": "Dr dr kb Kb vö Vö pl Pl ca Ca min Min max Max ún Ún prof Prof de Du Szt St",
    "is": "al hr dr bls sbr skv kr kl mín sek ath frh nk gr ef fl frt kg km lh lo nf nl sl st stk sk tbl þf þgf ft "
    "kk kvk hvk hk bh mm gm vh vl vsk fn so ao",
    "it": "Nr v Sig Sigg Dott Dr Avv Ing Prof Geom Rag Arch Sen Gen Col Mons St Sr ecc es Amn Adj Adm Adv Asst Bart "
    "Bldg Brig Bros Capt Cmdr Co Comdr Con Corp Cpl DR Ens Gov Hon Hosp Hr Insp Lt MM MR MRS MS Maj Messrs Mlle Mme "
    "Mo Mr Mrs Ms Msgr Op Ord Pfc Ph Pvt Rep Reps Res Rev Rt Sens Sfc Sgt Supt Surg acc all banc corr dott fatt gg "
    "int lett ogg on ric seg sgg ss tel Drs Egr Id Rif Soc Spett racc vs",
    "lt": "etc Dr dr prof Prof doc pan kt pvz a g pr al aut m mėn d min tūkst mln mlrd tel nr Nr str gyd dir red p "
    "plg žr gen plk kpt sk r apskr vyr inž akad pav egz lit mjr angl vok rus skyr sp pirm sav šiaur gim mok moksl "
    "spec tech aps apyg b bot dek dirig dš e ekon insp k kun l lot med mot n pl rš sen st t tir v vad ž asist adv "
    "asm bkl chem dab fin fiz geol geogr gerb isp įv kand kom koresp mat mokyt muz pat pavad poet polit sąs teis vet "
    "vs zool",
    "lv": "dr Dr med prof Prof inž Inž sk akad soc",
    "nl": "dr drs ir ing mr prof Mw mevr dhr ds Mej bijv bv bacc bc bgen gen kand kol lgen maj jhr jkvr jr bijz plv",
    "pl": "st n k Art Prof Dr dr hab prof mgr inż lek med mec adw dyr red gen płk kpt por ks bp kard św o br np tzn "
    "tzw tj cd ww zob poz ul al pl tel godz gr pow woj gm im p prok art pol ang niem fr łac ew ur zm wł zach dypl ds "
    "dol kl kol reż rys sp szer zast amer austr bł bryg dn dł hist hiszp hr iron kryt ub żyd afr centr chem chir "
    "dosł dyw ekon fot gat geogr geol gimn górn gosp gram kat społ tow",
    "pt": "Nr Dr Dra Drs Sr Sra Sto Exmo Prof Eng Adv Gen Sgt Lda art fig ex adm Adj Adm Cmdr Corp Cpl Dras Enga "
    "Engas Engos Ex Fig Hosp Insp Mrs Ms Nos Op Ord Ph Rep Reps Res Rev Sen Sens Srs Supt vs",
    "ro": "dpdv etc șamd dvs dl",
    "ru": "г гг в вв н т п тт с стр см ср др пр руб коп тыс млн млрд ул пл пер просп наб д кв обл р о м ст проф зам "
    "гл кап тел мин ч км мм кг ред ок и пос соч уд чел шт экз гос л лл макс сб св уч",
    "sk": "etc art max Tel Ing Mgr Bc MUDr JUDr PhDr RNDr ThDr PaedDr MVDr Dr prof sv st gen kpt atď apod napr tzv "
    "tzn resp príp str č ul roč tel odd porov al obr mil mld min nár okr obv zv os sl súkr ved zast zn zázn čes angl "
    "nem franc lat gréc maď poľ akad alch amer anat arch archeol astr austr aut biol bot čísl dopr ekon elektr ev "
    "farm fil fr fyz geogr geol geom gr hist hosp hud chem inf iron jaz kniž kresť lek lit log lok mest mn mod náb "
    "niž obch odb part pl polit práv pren psych sg soc tech vl všeob výsl zool",
    "sl": "cf sep d dr Dr ing dipl oz npr itd tj itn jan feb mar apr jun jul avg sept okt nov dec gl op prev sl",
    "sv": "jan feb mar apr jul aug sep nov dec dvs etc kand kl lic mm osv s vol vs fil jfr jun jur mag prop tom AB f "
    "kr d",
    "ta": "திரு எஸ் எம் கே",
    "te": "శ్రీ",
}
"""Words that keep the full stop behind them."""

_BEFORE_NUMBERS = {
    "is": "no No",
    "it": "No Art pp",
    "nl": "Nr nr",
    "pl": "nr",
    "pt": "No Art p pp",
}
"""Words that keep it where a number follows."""

_OTHERWISE: dict[str, dict[str, Any]] = {
    "cs": {"thousands": ","},
    "de": {"quotation": "before stops", "thousands": ","},
    "es": {"quotation": "before stops", "thousands": ","},
    "fr": {"apostrophe": "with what precedes", "quotation": "before stops", "thousands": ","},
    "it": {"apostrophe": "with what precedes"},
    "ko": {"hangul": True},
}


def language(code: str) -> MosesLanguage:
    """What the scripts do in the language with this code."""
    if code == "en":
        return MOSES_ENGLISH
    abbreviations, before_numbers = MOSES_ENGLISH.abbreviations, MOSES_ENGLISH.before_numbers
    if code in _ABBREVIATIONS or code in _INITIALS:
        words = f"{_INITIALS.get(code, _CAPITALS)} {_ABBREVIATIONS.get(code, '')}"
        abbreviations = frozenset(words.split())
        before_numbers = frozenset(_BEFORE_NUMBERS.get(code, "").split())
    return MosesLanguage(abbreviations, before_numbers, **_OTHERWISE.get(code, {}))
