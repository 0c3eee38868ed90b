"""What people are told: authors of restrictions and strikes (Art. 17 DSA), reporters of answers."""
