"""`render`, offline."""

from __future__ import annotations

from pathlib import Path

from builders import TOP
from console import Run


def test_a_template_that_does_not_render_ends_with_its_place(run: Run, tmp_path: Path) -> None:
    """The error of a template names file and line: exit 2."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_text("\n{{ nothing }}\n")
    done = run("--json", "render")
    assert (done.code, done.json["error"]["type"], done.json["error"]["node"]) == (2, "Render", "lb1")
    assert "templates/haproxy.cfg.j2:2: 'nothing' is undefined" in done.json["error"]["message"]


def test_render_prints_every_file_of_every_node(run: Run) -> None:
    """Each file under a line with its node, path and mode."""
    done = run("render")
    heads = [line for line in done.out.splitlines() if line.startswith("==> ")]
    assert done.code == 0
    assert len(heads) == 18
    assert heads[0] == "==> lb1:/etc/sysctl.d/zz-lbdeploy.conf (mode 0644) <=="
    assert "==> lb2:/etc/keepalived/check-haproxy (mode 0755) <==" in heads
    assert "    unicast_src_ip 192.168.1.12\n" in done.out


def test_render_of_one_node_prints_that_node_only(run: Run) -> None:
    """A node's name limits what is rendered."""
    assert "lb1:" not in run("render", "lb2").out
    assert {each["node"] for each in run("render", "lb2", "--json").json["files"]} == {"lb2"}


def test_what_own_templates_change_is_shown(run: Run, tmp_path: Path) -> None:
    """A diff for each file that they make otherwise."""
    (tmp_path / "templates").mkdir()
    built_in = (TOP / "templates/sysctl.conf.j2").read_text()
    (tmp_path / "templates/sysctl.conf.j2").write_text(built_in + "vm.swappiness = 1\n")
    found = run("--json", "render", "lb1", "--diff").json["files"]
    assert [(each["node"], each["path"]) for each in found] == [("lb1", "/etc/sysctl.d/zz-lbdeploy.conf")]
    assert "\n+vm.swappiness = 1\n" in found[0]["diff"]
    assert run("render", "--diff", "--out", str(tmp_path)).code == 2


def test_without_own_templates_there_is_no_difference(run: Run) -> None:
    """And that is said."""
    assert run("render", "--diff").out.startswith("No difference: ")


def test_rendered_files_as_json_are_whole(run: Run) -> None:
    """Scripts get node, path, mode and the very content."""
    files = {(each["node"], each["path"]): each for each in run("--json", "render").json["files"]}
    assert len(files) == 18
    check = files["lb1", "/etc/keepalived/check-haproxy"]
    assert (check["mode"], check["content"].partition("\n")[0]) == ("0755", "#!/bin/sh")


def test_rendered_files_are_written_as_they_would_lie_on_the_nodes(run: Run, tmp_path: Path) -> None:
    """With --out, each node has a folder, with every file at its path and with its mode."""
    done = run("render", "--out", "out")
    assert (done.code, done.out) == (0, "")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert len(found) == 18
    assert "lb2/etc/haproxy/haproxy.cfg" in found
    assert (tmp_path / "out/lb1/etc/keepalived/check-haproxy").stat().st_mode & 0o777 == 0o755
    assert "for lb2 of" in (tmp_path / "out/lb2/etc/haproxy/haproxy.cfg").read_text()
    assert run("render", "--out", "hosts.toml").code == 2
    (tmp_path / "out/lb1/etc").rename(tmp_path / "etc")
    (tmp_path / "out/lb1/etc").write_text("in the way")
    done = run("render", "--out", "out")
    assert (done.code, "can't be written" in done.err) == (2, True)


def test_secrets_are_only_in_the_files_that_are_written(run: Run, tmp_path: Path) -> None:
    """Neither in the document nor on the screen; what --out writes with one is for the operator alone."""
    (tmp_path / "templates").mkdir()
    built_in = (TOP / "templates/haproxy.cfg.j2").read_text()
    secret = "userlist u\n    user ann insecure-password 's3cret s3cret'\n"
    (tmp_path / "templates/haproxy.cfg.j2").write_text(built_in + secret)
    script = tmp_path / "notify.sh"
    script.write_text("#!/bin/sh\nmail -s s3cret root\n")
    script.chmod(0o755)
    hosts = (tmp_path / "hosts.toml").read_text()
    (tmp_path / "hosts.toml").write_text(hosts.replace("[vrrp]\n", '[vrrp]\nnotify = "notify.sh"\n'))
    for done in (run("render", "lb1"), run("--json", "render", "lb1"), run("render", "lb1", "--diff")):
        assert done.code == 0, done.err
        assert "s3cret" not in done.out + done.err
        assert "    user ann insecure-password (hidden)" in done.out
    assert "(2 lines of a script of your own are not printed: --out writes them)" in run("render", "lb1").out
    kept = tmp_path / "out/lb1/etc/haproxy/haproxy.cfg"
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    assert run("render", "--out", "out").code == 0
    assert secret in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out/lb1/etc/keepalived/lbdeploy-notify").stat().st_mode & 0o777 == 0o700
