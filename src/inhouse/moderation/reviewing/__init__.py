"""What review is made of: finding cases, opinions, known answers, what lies around a case."""
