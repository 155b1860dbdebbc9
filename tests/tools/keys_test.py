#!/usr/bin/env python3
"""sealwire keygen, id, network, version, help: without a peer."""

import json
import os
import re
import subprocess

import command
from command import ToolCase, run

COMMANDS = ["keygen", "id", "network", "secret", "listen", "send", "request", "call", "pub", "sub", "hub", "push", "receive", "stream", "ping",
            "bench", "doctor", "demo", "version"]


class Keys(ToolCase):
    def test_keygen_writes_a_file_for_its_owner_alone_and_id_reads_it(self):
        path, peer_id = self.new_key()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertRegex(peer_id, r"^[a-z2-7]{52}$")
        self.assertEqual(run("id", path).out.strip(), peer_id)
        self.assertEqual(run("id", path, "--json").json(), [{"event": "key", "file": str(path), "id": peer_id}])

    def test_keygen_does_not_overwrite_a_file(self):
        path, peer_id = self.new_key()
        self.fails(run("keygen", path), 8, "exists already", "name another file")
        self.assertEqual(run("id", path).out.strip(), peer_id)

    def test_a_key_file_that_others_can_read_is_refused(self):
        path, _ = self.new_key()
        path.chmod(0o644)
        self.fails(run("id", path), 8, "0644", "chmod 600")

    def test_a_missing_and_a_malformed_key_file_are_refused(self):
        self.fails(run("id", self.folder / "none.key"), 8, "none.key")
        bad = self.folder / "bad.key"
        bad.write_text("hello\n")
        bad.chmod(0o600)
        self.fails(run("id", bad), 8, "bad.key")

    def test_with_json_a_failure_is_an_object_with_its_exit_status(self):
        result = run("id", self.folder / "none.key", "--json")
        (error,) = result.json()
        self.assertEqual((error["event"], error["error"], error["exit"]), ("error", "key_file", result.status))
        self.assertTrue(error["hint"] and error["text"] and error["detail"])
        self.assertEqual(result.err, "")


class Networks(ToolCase):
    def test_a_new_network_is_a_secret_that_checks(self):
        secret = run("network", "new").out.strip()
        self.assertTrue(secret.startswith("swnet1"))
        self.assertIn("secret", run("network", "check", secret).out)
        self.assertNotEqual(run("network", "new").out.strip(), secret)

    def test_a_public_name_is_told_apart_from_a_secret(self):
        self.assertIn("public name", run("network", "check", "office").out)
        self.assertEqual(run("network", "check", "office", "--json").json(),
                         [{"event": "network", "valid": True, "secret": False}])

    def test_a_mistyped_secret_is_refused(self):
        secret = run("network", "new").out.strip()
        self.fails(run("network", "check", secret[:-1]), 8)
        changed = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]
        self.fails(run("network", "check", changed), 8)

    def test_a_passphrase_makes_the_same_secret_each_time(self):
        first = run("network", "from-passphrase", stdin="correct horse battery staple\n")
        second = run("network", "from-passphrase", stdin="correct horse battery staple\n")
        self.assertEqual(first.status, 0, first.err)
        self.assertEqual(first.out, second.out)
        self.assertIn("secret", run("network", "check", first.out.strip()).out)

    def test_a_short_and_a_missing_passphrase_are_refused(self):
        self.fails(run("network", "from-passphrase", stdin="short\n"), 8, "passphrase of a network has at least 12 bytes, this one 5")
        self.fails(run("network", "from-passphrase"), 2, "passphrase for the network")


class Secrets(ToolCase):
    def secret(self, *words, **more):
        """What `sealwire secret` wrote."""
        path = self.folder / f"secret-{len(list(self.folder.iterdir()))}"
        made = run("secret", path, *words, **more)
        self.assertEqual((made.status, made.out, made.err), (0, "", ""))
        return path.read_text()

    def test_a_new_secret_is_in_a_file_for_its_owner_alone(self):
        path = self.folder / "topic.secret"
        self.assertEqual(run("secret", path, "--json").json(), [{"event": "secret", "file": str(path)}])
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertRegex(path.read_text(), r"\Aswtopic1[a-z2-7]{58}\n\Z")
        self.assertNotEqual(self.secret(), path.read_text())

    def test_no_file_is_overwritten(self):
        path = self.folder / "topic.secret"
        path.write_text("what was there\n")
        self.fails(run("secret", path), 8, f"the file {path} is not overwritten", "name another file")
        (error,) = run("secret", path, "--json").json()
        self.assertEqual((error["event"], error["error"], error["exit"]), ("error", "file_exists", 8))
        self.assertEqual(path.read_text(), "what was there\n")
        link = self.folder / "link"
        link.symlink_to(self.folder / "none")
        self.fails(run("secret", link), 8, "is not overwritten")
        self.assertFalse((self.folder / "none").exists())

    def test_a_folder_that_is_missing_is_named(self):
        self.fails(run("secret", self.folder / "none" / "x"), 8, f"the file {self.folder}/none/x cannot be written: No such file")

    def test_a_full_disk_leaves_no_file(self):
        path = self.folder / "topic.secret"
        limited = subprocess.run(["/bin/sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", command.TOOL, "secret", path], text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=command.PATIENCE_S)
        self.fails(command.Result(limited), 8, "cannot be written: File too large")
        self.assertFalse(path.exists())

    def test_a_passphrase_makes_the_same_secret_of_one_topic_each_time(self):
        words = ("--passphrase", "--topic")
        one, again, other, phrase = (self.secret(*words, topic, stdin=said + "\n")
                                     for topic, said in (("news", "correct horse battery staple"), ("news", "correct horse battery staple"),
                                                         ("News", "correct horse battery staple"), ("news", "correct horse battery stapl")))
        self.assertEqual(one, again)
        self.assertEqual(len({one, other, phrase}), 3)

    def test_a_short_and_a_missing_passphrase_are_refused(self):
        path = self.folder / "topic.secret"
        words = ("secret", path, "--passphrase", "--topic", "news")
        self.fails(run(*words, stdin="short\n"), 8, "passphrase of a topic has at least 12 bytes, this one 5")
        self.fails(run(*words), 2, "no passphrase for the topic")
        self.fails(run("secret", path, "--passphrase", stdin="correct horse battery staple\n"), 2, "belong together")
        self.fails(run("secret", path, "--topic", "news"), 2, "belong together")
        self.fails(run("secret", path, "--passphrase", "--topic", "x" * 256, stdin="correct horse\n"), 2, "1 to 255 bytes")
        self.fails(run("secret"), 2, "file for the secret")
        self.assertFalse(path.exists())


class CommandLine(ToolCase):
    def test_help_lists_each_command_and_help_of_each_names_its_options(self):
        listed = re.findall(r"(?m)^  sealwire (\S+)", run("help").out)
        self.assertEqual(listed[:len(COMMANDS)], COMMANDS)
        for name in COMMANDS:
            text = run("help", name)
            self.assertEqual(text.status, 0)
            self.assertEqual(text.out, run(name, "--help").out)

    def test_no_command_an_unknown_one_and_an_unknown_option_are_wrong_usage(self):
        self.assertEqual(run().status, 2)
        self.fails(run("lisen"), 2, "no command 'lisen'")
        self.fails(run("help", "lisen"), 2, "no command 'lisen'")
        self.fails(run("id", "--colour"), 2, "no option --colour")

    def test_missing_and_superfluous_arguments_are_named(self):
        self.fails(run("keygen"), 2, "file for the key")
        self.fails(run("send", "ticket"), 2, "route is missing")
        self.fails(run("id", "one", "two"), 2, "'two' is one argument too many")
        self.fails(run("id", "--json=yes", "one"), 2, "--json takes no value")
        self.fails(run("ping", "--count"), 2, "--count needs a value")

    def test_numbers_and_durations_are_checked(self):
        for words in (["ping", "t", "--count", "0"], ["ping", "t", "--count=x"], ["request", "t", "r", "--timeout", "soon"],
                      ["request", "t", "r", "--timeout", "-1"]):
            self.fails(run(*words), 2, "takes")

    def test_listen_wants_to_know_who_may_connect(self):
        self.fails(run("listen", "tcp://127.0.0.1:0"), 2, "--allow ID, --allow-file FILE or --anyone")
        self.fails(run("listen", "tcp://127.0.0.1:0", "--anyone", "--allow", "x"), 2, "cannot both")

    def test_an_unknown_type_and_a_missing_body_file_are_named(self):
        self.fails(run("send", "t", "r", "x", "--type", "xml"), 2, "xml")
        self.fails(run("send", "t", "r", "@" + str(self.folder / "none.json")), 2, "none.json")

    def test_a_network_from_two_sources_and_a_missing_network_file_are_refused(self):
        self.fails(run("ping", "t", "--network", "a", "--network-file", "b"), 2, "cannot both")
        self.fails(run("ping", "t", "--network-file", self.folder / "none"), 8, "none")

    def test_files_that_are_missing_are_told_as_that_with_option_and_path(self):
        missing = self.folder / "none"
        for words in (("ping", "t", "--network-file"), ("listen", "tcp://127.0.0.1:0", "--allow-file")):
            with self.subTest(option=words[-1]):
                result = run(*words, missing)
                self.fails(result, 8, f"{words[-1]}: the file {missing} cannot be read: No such file", "the path that")
                self.assertRegex(result.err, "^sealwire: there is no such file")
                (error,) = run(*words, missing, "--json").json()
                self.assertEqual((error["error"], error["exit"]), ("not_found", 8))
        self.fails(run("ping", "t", "--network-file", self.folder), 8, "Is a directory")
        self.fails(run("ping", "t", "--key", missing), 8, f"--key: key file {missing}: No such file")

    def test_files_with_secrets_that_others_can_read_are_refused(self):
        _, peer_id = self.new_key()
        ticket = f"unix://{self.folder}/none#{peer_id}"
        file = self.folder / "network"
        file.write_text(run("network", "new").out)
        key = self.folder / "tls.key"
        key.write_text("")
        for path, option, modes in ((file, "--network-file", (0o644, 0o640, 0o602)), (key, "--tls-key", (0o644, 0o602))):
            for mode in modes:
                path.chmod(mode)
                result = run("ping", ticket, option, path)
                self.fails(result, 8, f"{option}: the file {path} has mode {mode:04o}", f"chmod 600 {path}")
                self.assertRegex(result.err, "^sealwire: a file with a secret can be read by others")
        for option, path in (("--network-file", file), ("--tls-key", key)):  # 0602
            seen = run("doctor", ticket, option, path)
            self.fails(seen, 8)
            self.assertRegex(seen.out, r"\AFAILED  self ")
        file.chmod(0o600)
        self.fails(run("ping", ticket, "--network-file", file), 3, "nothing is listening")
        key.chmod(0o640)
        self.fails(run("ping", ticket, "--tls-key", key), 2, "tls options are for")
        file.write_text("office\n")  # a public name
        file.chmod(0o644)
        self.fails(run("ping", ticket, "--network-file", file), 3, "nothing is listening")

    def test_a_secret_in_a_file_may_have_blanks_around_it_and_nothing_else(self):
        _, peer_id = self.new_key()
        ticket = f"unix://{self.folder}/none#{peer_id}"
        file, secret = self.folder / "network", run("network", "new").out.strip()
        file.touch(0o600)
        for text in (f"\n\n{secret}\n", f"  {secret}\t \r\n", f"\ufeff{secret}\n"):
            file.write_text(text, encoding="utf-8")
            self.fails(run("ping", ticket, "--network-file", file), 3, "nothing is listening")
            file.chmod(0o644)  # it is seen as a secret
            self.fails(run("ping", ticket, "--network-file", file), 8, "has mode 0644")
            file.chmod(0o600)
        for text in (f'"{secret}"\n', f"# mine\n{secret}\n", secret.upper(), f"{secret} # mine\n", secret[:-1]):
            file.write_text(text)
            self.fails(run("ping", ticket, "--network-file", file), 8, f"--network-file {file}: a network", "swnet1")
            self.fails(run("network", "check", text), 8)

    def test_a_file_of_an_option_that_is_empty_is_refused_and_holds_nothing_up(self):
        _, peer_id = self.new_key()
        empty, pipe = self.folder / "empty", self.folder / "pipe"
        empty.write_text(" \n")
        os.mkfifo(pipe)  # that nobody writes to
        for file in (empty, pipe, "/dev/null"):
            self.fails(run("ping", f"unix://{self.folder}/none#{peer_id}", "--network-file", file), 8, f"{file} has no network in it")
        serve = ("listen", "tls://127.0.0.1:0", "--anyone")
        self.fails(run(*serve, "--tls-cert", pipe, "--tls-key", pipe), 8, f"the certificate {pipe}: it is empty")

    def test_values_that_are_wrong_are_told_with_their_option(self):
        here = ("sub", "news", "--listen", "tcp://127.0.0.1:0")
        for status, told, *words in ((3, "--connect nowhere:", "sub", "news", "--connect", "nowhere"),
                                     (8, "--connect tcp://h:1#abc:", "sub", "news", "--connect", "tcp://h:1#abc"),
                                     (3, "--listen nowhere:", "sub", "news", "--listen", "nowhere", "--anyone"),
                                     (8, "--allow abc:", *here, "--allow", "abc"),
                                     (8, "--network:", "ping", "t", "--network", "swnet1abc")):
            with self.subTest(words=words):
                self.fails(run(*words), status, f"in particular: {told}")
        secret = run("network", "new").out.strip()[:-1]
        self.assertNotIn(secret, run("ping", "t", "--network", secret).err)
        file = self.folder / "ids"
        file.write_text("# friends\nabc\n")
        self.fails(run(*here, "--allow-file", file), 8, f"--allow-file {file}, line 2:")

    def test_version_tells_release_abi_and_what_is_inside(self):
        (version,) = run("version", "--json").json()
        self.assertRegex(version["version"], r"^\d+\.\d+\.\d+")
        self.assertIn("libsodium", version["build"])
        self.assertIn(version["version"], run("--version").out)

    def test_json_escapes_what_is_no_plain_text(self):
        odd = self.folder / 'a"\\\n\x01é.key'
        self.assertEqual(json.loads(run("keygen", odd, "--json").out)["file"], str(odd))


class Demo(ToolCase):
    def test_the_demo_shows_everything_once(self):
        demo = run("demo")
        self.assertEqual(demo.status, 0, demo.err)
        for word in ("ticket", "send:", "request:", "fast reply:", "error:", "no route:", "deadline:", "ping:",
                     "not allowed:", "no answer:", "in good order"):
            self.assertIn(word, demo.out)


if __name__ == "__main__":
    command.main()
