"""Questions with what is known of their answers: read, checked, compared, filtered, split."""
