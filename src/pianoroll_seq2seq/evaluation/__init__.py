"""How good a model or its music is: likelihood, prediction scores, music metrics, distances between sets."""
