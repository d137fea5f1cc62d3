"""Where the files of a run go, beyond the machine it runs on."""
