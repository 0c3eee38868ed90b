"""How good models are: every item ranked beside baselines, and what was predicted and came true."""
