"""The pieces of the explorer's screen. The models and layouts among them import no Textual."""
