"""Small synthetic data sets in the formats of the real ones, and a home: one moving body, painted and sensed."""
