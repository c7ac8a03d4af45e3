"""What the stand-ins for official Pulumi plugins share: the process, the protocol, where the engine finds them."""
