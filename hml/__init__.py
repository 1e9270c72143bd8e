"""Human-in-the-loop mixup: train on what people see in mixed images, and measure whether it helps."""

__version__ = "0.1.0"
