"""Three small synthetic data sets in the formats of the real ones: one moving body, painted and sensed."""
