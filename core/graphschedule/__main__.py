"""Command line of the vocabulary: `python -m graphschedule next EXPR --time-zone Z --from T --count N`."""
