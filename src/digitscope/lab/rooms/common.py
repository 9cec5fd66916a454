"""What every page may ask for."""

from digitscope.lab.routes import Page, Route
from digitscope.lab.state import Lab

PAGES: list[Page] = []


def models(lab: Lab) -> dict[str, object]:
    """The models by name, with what is known about each."""
    listed = []
    for name in lab.model_names():
        info = lab.model(name).info
        listed.append({"name": name, "recipe": info.recipe, "test_accuracy": info.test_accuracy})
    return {"default": lab.default_model, "models": listed}


ROUTES = [Route("GET", "/api/models", "The models that the lab knows, the one to begin with first.", models)]
