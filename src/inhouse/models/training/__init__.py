"""From labels to a registered version with its card; judged again; its weights taken out."""
