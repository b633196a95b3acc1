"""What happened (events), what may happen next (lifecycles), and what is true now (folds). Pure."""
