"""`inhouse train --causal`: a causal model from the log, asked whether it helps, then published."""
