"""What people object to: a report of somebody else's post, an appeal against a decision."""
