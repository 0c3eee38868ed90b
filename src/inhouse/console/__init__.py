"""Pages for staff, and the reference feed page."""
