"""The pure machine: stimuli in, effects out; no sockets, clocks or files."""
