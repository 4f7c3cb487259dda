"""Small synthetic data sets in the real sets' formats, and a home: one moving body, drawn and sensed."""
