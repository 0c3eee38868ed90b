"""How well it goes: how far people agree, known answers, random samples and what they show."""
