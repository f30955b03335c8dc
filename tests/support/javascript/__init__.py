"""The npm package `rivetkit` as a program: its client, as a test's client.

`values.mjs` and `values.py` say how a value is written on the way. `client.mjs` is the program. `client.py` starts it and
calls it. `installation.py` finds the package, or installs it.
"""
