"""From a file, a URL or an archive's record to what can be found."""
