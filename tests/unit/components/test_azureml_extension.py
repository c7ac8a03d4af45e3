from __future__ import annotations

import pytest

from aml_infra.components import azureml_extension

INFERENCE = {
    "enableInference": "True",
    "inferenceRouterServiceType": "ClusterIP",
    "sslCname": "models.example.com",
    "sslSecret": "tls",
}


def find(settings: dict[str, str]) -> list[str]:
    """What is wrong with settings, in words."""
    return [str(problem) for problem in azureml_extension.find_setting_problems(settings)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"installVolcano": "False"}, {"nodeSelector.pool": "system"}, {"clusterPurpose": "FastProd"}, INFERENCE],
)
def test_what_the_documentation_names_may_be_set(settings: dict[str, str]) -> None:
    """With its words."""
    assert find(settings) == []


def test_other_words_are_refused() -> None:
    """Names and values."""
    assert find({"installVolcano": "no", "sslCname": "", "enableTraining": "False"}) == [
        "extension_settings['installVolcano']: is 'no'; allowed are True, False",
        "extension_settings['sslCname']: is ''; allowed are any text",
        (
            "extension_settings['enableTraining']: is no setting that is left to you; allowed are clusterPurpose, "
            "enableInference, inferenceRouterHA, inferenceRouterServiceType, installDcgmExporter, "
            "installNvidiaDevicePlugin, installPromOp, installVolcano, internalLoadBalancerProvider, "
            "nginxIngress.enabled, sslCname, sslSecret, and nodeSelector.<key>"
        ),
    ]


def test_models_are_not_spoken_to_without_tls() -> None:
    """Neither by a setting, nor by one that is missing."""
    assert find({"allowInsecureConnections": "True", "enableInference": "True"}) == [
        (
            "extension_settings['allowInsecureConnections']: is 'True', and models would be spoken to without TLS; "
            "leave it out, and give sslSecret and sslCname"
        ),
        (
            "extension_settings: enable inference, which needs inferenceRouterServiceType, sslCname, sslSecret too; "
            "give them, or leave enableInference out"
        ),
    ]
