"""Cover pictures: layered shapes as SVG, drawn from a post's id and topic, never stored."""
