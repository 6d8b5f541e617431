"""What robots in blood delivered: shares, doses, maps, times and exposures, each with its interval."""

from sojourn.delivery.report import Delivery, Held, delivered

__all__ = ["Delivery", "Held", "delivered"]
