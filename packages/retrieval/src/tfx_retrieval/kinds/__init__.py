"""Kinds of index beside the flat one: less to compute for a search, or less to keep, for an answer that may miss some.

Each keeps plain ``.npy`` files. Objects of FAISS are made of these arrays, which were checked before, and where they
can be large they stay mapped into memory; nothing of FAISS ever reads or writes a file.
"""
