"""The declaration of a typed actor: what its class says, read and checked when the class is made."""
