"""A compiler from the BARE schema language (draft-devault-bare) to Python.

A schema goes through these modules, in this order: ``schema`` parses it, ``naming`` names what is anonymous,
``checks`` holds it against the rules, ``model`` gives every type one of the four ``shapes`` that Python has for
it, ``decoding`` and ``encoding`` write the ``source`` of its functions, ``module`` puts the file together.
"""
