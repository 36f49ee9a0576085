"""Whatever bytes a decoder is given, it ends soon, in little memory, with a value or with its documented error.

`decoders_*.py` say what decoders there are, `mutating.py` damages whole inputs. Hypothesis chooses the damage of every
day, atheris that of long runs. `trying.py` tries one input, `fuzzing.py` many, in a process of their own that may end
by a fault of a C library. `http.py` tries REST by schemathesis.
"""
