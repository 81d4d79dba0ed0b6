"""The texts of the console."""

from gateformer.gateware.console.messages import Message
from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from tests.support.console.stand_in_core import BUILD_ID, CONFIG, DIGEST, HW


class TestTexts:
    def test_shipped_model_fits_one_block_memory(self):
        """2,048 entries of 9 bits are one block memory of 18 Kb."""
        artifact = open_model("shakespeare-115k")
        identification = Identification(
            artifact.model.config, HwConfig(8, 64, 64), artifact.model.digest, BUILD_ID, 50_000
        )
        entries, pages = ConsoleTexts(artifact.name, identification).rom()
        assert len(entries) <= 2048
        assert set(pages) == set(Message)

    def test_name_cannot_hold_controls(self):
        texts = ConsoleTexts("a\x1b[2J\r\nb", Identification(CONFIG, HW, DIGEST, 0, 1))
        assert texts.info()[0].startswith("# model a?[2J??b, digest ")
