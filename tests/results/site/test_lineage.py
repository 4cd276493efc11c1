from __future__ import annotations

from densezoo.results.site.lineage import lineage
from densezoo.results.site.zoo import Zoo


def test_every_port_from_the_training_on(zoo: Zoo) -> None:
    tree = lineage(zoo.specs["densenet121.pudae_in1k"], zoo.specs)
    assert tree.spec.name == "densenet121.lua_in1k"
    (caffe,) = (port for port in tree.ports if port.spec.name == "densenet121.caffe_in1k")
    (flyyufelix,) = (port for port in caffe.ports if port.spec.name == "densenet121.flyyufelix_in1k")
    assert [port.spec.name for port in flyyufelix.ports] == ["densenet121.pudae_in1k"]
    assert lineage(zoo.specs["rdnet_tiny.nv_in1k"], zoo.specs).ports == ()
