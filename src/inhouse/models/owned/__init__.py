"""Models of one's own: features, fitting, scoring, explaining, files."""
