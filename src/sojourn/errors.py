"""What a user can get wrong, as an exception: one clear line with the value given and the remedy."""


class InputError(ValueError):
    """Bad user input. The command line prints the message alone and exits with code 2."""
