"""Three small synthetic data sets in the real sets' formats: one moving body, drawn and sensed."""
