"""A store in SQL: `database` opens and migrates it, `foreign` tells the driver's errors in ours."""
