"""How much rests on whom: shares, readiness to leave, and the libraries inhouse rests on."""
