"""What is known around a post when it is judged: floods, its creator's standing, complaints."""
