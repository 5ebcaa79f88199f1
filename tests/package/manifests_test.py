"""proxysql-config/ and the documentation against the programs: files parse, refer to what is there, and say the ports, paths
and keys that the programs have. And a cluster comes up from the manifests, as far as a machine without Kubernetes can
show it."""
import contextlib
import copy
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
import unittest

import yaml

from nodes import Api, Node, has_postgresql
from support import BUILD, SOURCE, TestCase, eventually, free_port, pulse, run, settings

CONFIG = SOURCE / "proxysql-config"
KUBERNETES = CONFIG / "kubernetes"
BASE = KUBERNETES / "base"
OVERLAYS = ("exec-hook", "http-hook", "before-1.29", "postgresql", "single-tier")
OPERATOR = KUBERNETES / "overlays/prometheus-operator"  # applied beside one of them
WORKLOADS = ("Deployment", "StatefulSet")
CNFS = [CONFIG / "core.cnf", CONFIG / "satellite.cnf", CONFIG / "single-tier.cnf", KUBERNETES / "base/core.cnf",
        KUBERNETES / "base/satellite.cnf", KUBERNETES / "overlays/single-tier/proxysql.cnf",
        KUBERNETES / "overlays/postgresql/core.cnf", KUBERNETES / "overlays/postgresql/satellite.cnf",
        CONFIG / "compose/core.cnf", CONFIG / "compose/satellite.cnf"]
NAMESPACE = "proxysql"


def load(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


# Kustomize, as far as these manifests use it: resources, components of resources alone, namespace, generated secrets,
# images, two kinds of patches.

def merge(target, patch):
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif isinstance(value, list):
            for item in value:  # of containers alone
                merge(next(old for old in target[key] if old["name"] == item["name"]), item)
        else:
            target[key] = value


def apply_operation(document, operation):
    def parent_of(path):
        *names, last = path.strip("/").split("/")
        node = document
        for name in names:
            node = node[int(name) if isinstance(node, list) else name]
        if isinstance(node, list):
            last = len(node) if last == "-" else int(last)
        return node, last

    node, last = parent_of(operation["from" if operation["op"] == "move" else "path"])
    value = node.pop(last) if operation["op"] in ("remove", "move") else operation["value"]
    if operation["op"] != "remove":
        node, last = parent_of(operation["path"])
        if isinstance(node, list):
            node.insert(last, value)
        else:
            node[last] = value


def render(folder):
    """The documents of a kustomization, with Secrets under their names without a hash."""
    (kustomization,) = load(folder / "kustomization.yaml")
    documents = []
    for resource in kustomization["resources"] + kustomization.get("components", []):
        path = folder / resource
        documents += render(path) if path.is_dir() else load(path)
    for generated in kustomization.get("secretGenerator", []):
        entries = [entry.split("=", 1) for entry in generated.get("files", [])]
        data = {key: (folder / name).read_text() for key, name in entries}
        data |= dict(entry.split("=", 1) for entry in generated.get("literals", []))
        if generated.get("behavior") == "replace":
            documents.remove(next(one for one in documents
                                  if one["kind"] == "Secret" and one["metadata"]["name"] == generated["name"]))
        documents.append({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": generated["name"]},
                          "stringData": data})
    for patch in kustomization.get("patches", []):
        (content,) = load(folder / patch["path"])
        target = patch["target"]
        assert target.keys() <= {"kind", "name"}, patch
        targets = [one for one in documents if one["kind"] == target["kind"]
                   and one["metadata"]["name"] == target.get("name", one["metadata"]["name"])]
        assert targets, patch
        for document in targets:
            if isinstance(content, list):
                for operation in content:
                    apply_operation(document, copy.deepcopy(operation))
            else:
                name = document["metadata"]["name"]
                merge(document, copy.deepcopy(content))
                document["metadata"]["name"] = name
    images = {image["name"]: image for image in kustomization.get("images", [])}
    for document in documents:
        if document["kind"] in WORKLOADS:
            for container in containers(document):
                image = images.get(container["image"].split(":")[0])
                if image:
                    container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
        if "namespace" in kustomization and document["kind"] != "Namespace":
            document["metadata"]["namespace"] = kustomization["namespace"]
            for subject in document.get("subjects", []):
                subject["namespace"] = kustomization["namespace"]
    return documents


def pod_of(deployment):
    return deployment["spec"]["template"]["spec"]


def containers(deployment):
    return pod_of(deployment)["initContainers"] + pod_of(deployment)["containers"]


def container(deployment, name):
    return next(one for one in containers(deployment) if one["name"] == name)


def mount_of(one, volume):
    return next((mount["mountPath"] for mount in one["volumeMounts"] if mount["name"] == volume), None)


def kubectl_renders():
    """Whether there is a kubectl whose kustomize knows `patches` and whose types know sidecars."""
    if shutil.which("kubectl") is None:
        return False
    found = re.search(r'"gitVersion": "v1\.(\d+)', run("kubectl", "version", "--client", "-o", "json", expect=None))
    return found is not None and int(found.group(1)) >= 29


class Documents(TestCase):
    """What the documentation says against what the programs say."""

    @classmethod
    def setUpClass(cls):
        cls.known, _ = settings(CONFIG / "core.cnf")

    def test_every_key_is_in_the_list_with_its_default(self):
        keys = re.search(r"^## Keys\n(.*?)^## ", (SOURCE / "docs/configuration.md").read_text(), re.M | re.S).group(1)
        rows = {}
        for item in re.split(r"^- ", keys, flags=re.M)[1:]:
            key, default = re.match(r"`([a-z_.]+)`: .*? Default: (.*?)\. Allowed: ", " ".join(item.split())).groups()
            self.assertNotIn(key, rows)
            rows[key] = default
        self.assertEqual({key.removeprefix("pulse.") for key in self.known}, set(rows))
        bare = self.temp_dir() / "proxysql.cnf"
        bare.write_text('pulse = { role = "core" }')
        defaults, _ = settings(bare)
        for key, text in rows.items():
            # A default that is one literal, or the last words of "of something, else LITERAL".
            said = re.fullmatch(r"(?:.*else )?`?(\"[^\"]*\"|\d+|true|false|\[.*\])`?(?:, [^\d\"]*)?", text)
            if said and defaults[f"pulse.{key}"] != "(hidden)":
                self.assertEqual(said.group(1), defaults[f"pulse.{key}"], key)

    def test_no_page_tells_of_a_key_that_there_is_not(self):
        groups = {key.rsplit(".", 1)[0] for key in self.known} | {"pulse.jobs"}  # which is shown where there are jobs
        pages = [SOURCE / "README.md", *(SOURCE / "docs").glob("*.md"), *(SOURCE / "docs/man").iterdir()]
        for page in pages:
            for key in re.findall(r"(?<![\w-])pulse\.[a-z_]+(?:\.[a-z_]+)*", page.read_text()):
                self.assertTrue(key in self.known or key in groups, f"{page.name}: {key}")

    def test_default_ports(self):
        self.assertEqual(["8080", "6032", "6033"], [self.known[f"pulse.{key}"] for key in
                                                    ("daemon.port", "admin.port", "daemon.mysql_port")])
        self.assertIn("EXPOSE 8080\n", (SOURCE / "Dockerfile").read_text())

    def test_the_image_has_what_the_manifests_run(self):
        dockerfile = (SOURCE / "Dockerfile").read_text()
        made = (SOURCE / "scripts/build-image-files").read_text()
        for program in ("proxysql-pulse", "proxysql-pulsed"):
            self.assertRegex(made, rf'\nfor program in [^;\n]*\b{program}\b')
        self.assertIn('install -D -m 0755 "$build/bin/$program" "$out/usr/bin/$program"\n', made)
        self.assertRegex(dockerfile, r"FROM scratch\nCOPY --from=build /image/ /\n")
        self.assertIn('ENTRYPOINT ["/usr/bin/proxysql-pulsed"]', dockerfile)
        for source in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.M):
            for name in source.split():
                self.assertTrue((SOURCE / name).exists(), name)
        listed = (SOURCE / "scripts/packages.txt").read_text()
        groups = re.search(r'^RUN \S*install-packages --for ".*?" ([a-z ]+) &&', dockerfile, re.M).group(1).split()
        self.assertEqual(["build", "source"], groups)
        for group in groups:
            self.assertIn(f"[{group}]\n", listed)

    def test_workflows_run_what_is_there(self):
        for workflow in (SOURCE / ".github/workflows").iterdir():
            (content,) = load(workflow)
            for job in content["jobs"].values():
                for script in re.findall(r"(?:^|\s)(scripts/\w+|\.ci/run)", "\n".join(step.get("run", "")
                                                                                 for step in job["steps"])):
                    self.assertTrue((SOURCE / script).exists(), f"{workflow.name}: {script}")


class Cnf(TestCase):
    def test_check_config_has_nothing_to_say(self):
        for cnf in CNFS:
            _, output = settings(cnf)
            self.assertNotRegex(output, r"\[(warning|error)\]", cnf)
            self.assertRegex(output, r"bootstrap entry of proxysql_servers: "
                                     r"(proxysql-core|proxysql-0.proxysql-nodes|core-1|10.0.0.1):6032")

    def test_a_single_tier_syncs_no_mysql_variables(self):
        """So that a drain may lower them: docs/drain.md."""
        for cnf in CNFS:
            never = "cluster_mysql_variables_diffs_before_sync = 0" in cnf.read_text()
            self.assertEqual("single-tier" in str(cnf.relative_to(CONFIG)), never, cnf)

    def test_proxysql_starts_with_it(self):
        """The double, or the real one that PROXYSQL_BIN names."""
        for cnf in CNFS:
            with Node(self, cnf.read_text(), "127.0.0.1", free_port(), free_port()) as node:
                ports = [node.admin_port, node.mysql_port]
                if "postgresql" in str(cnf) and has_postgresql():
                    ports.append(node.pgsql_port)
                self.assertTrue(eventually(lambda: all(node.listens(port) for port in ports)), f"{cnf}\n{node.log()}")


class Manifests(TestCase):
    @classmethod
    def setUpClass(cls):
        # http-hook needs a token of one's own.
        cls.tree = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())) / "kubernetes"
        shutil.copytree(KUBERNETES, cls.tree)
        run(cls.tree / "overlays/http-hook/make-token")
        cls.rendered = {"base": render(cls.tree / "base")}
        cls.rendered |= {name: render(cls.tree / "overlays" / name) for name in OVERLAYS}

    def all_of(self, kind):
        for name, documents in self.rendered.items():
            for document in documents:
                if document["kind"] == kind:
                    yield f"{name} {document['metadata']['name']}", document, documents

    def workloads(self):
        for kind in WORKLOADS:
            yield from self.all_of(kind)

    def pods(self):
        """Each Deployment and StatefulSet with the text of its proxysql.cnf and the effective settings of it."""
        for where, deployment, documents in self.workloads():
            secret = next(volume["secret"]["secretName"] for volume in pod_of(deployment)["volumes"]
                          if volume["name"] == "config")
            text = next(document["stringData"]["proxysql.cnf"] for document in documents
                        if document["kind"] == "Secret" and document["metadata"]["name"] == secret)
            file = self.temp_dir() / "proxysql.cnf"
            file.write_text(text)
            known, output = settings(file)
            yield where, deployment, text, {key.removeprefix("pulse."): value.strip('"') for key, value in known.items()}, \
                output

    def test_every_file_is_used_and_there(self):
        used = set()
        for kustomization in KUBERNETES.rglob("kustomization.yaml"):
            used.add(kustomization)
            (content,) = load(kustomization)
            names = content["resources"] + [patch["path"] for patch in content.get("patches", [])]
            names += [entry.split("=", 1)[1] for generated in content.get("secretGenerator", [])
                      for entry in generated.get("files", [])]
            used |= {(kustomization.parent / name).resolve() for name in names}
        tools = {KUBERNETES / "overlays/http-hook" / name for name in ("make-token", ".gitignore")}
        tools.add(OPERATOR / "make-rule")
        self.assertEqual({path for path in KUBERNETES.rglob("*") if path.is_file()},
                         {path for path in used if path.is_file()} | tools)
        self.assertEqual({OPERATOR.name, *OVERLAYS}, {path.name for path in (KUBERNETES / "overlays").iterdir()})

    def test_kubectl_renders_the_same(self):
        if not kubectl_renders():
            self.skipTest("no kubectl of 1.29 or later")

        def normal(documents):
            listed = []
            for document in copy.deepcopy(documents):
                if document["kind"] == "Secret":
                    document = {"kind": "Secret", "name": re.sub("-[a-z0-9]{10}$", "", document["metadata"]["name"]),
                                "keys": sorted(document.get("stringData", document.get("data")))}
                for volume in pod_of(document)["volumes"] if document["kind"] in WORKLOADS else []:
                    if "secret" in volume:
                        volume["secret"]["secretName"] = re.sub("-[a-z0-9]{10}$", "", volume["secret"]["secretName"])
                listed.append(json.dumps(document, sort_keys=True))
            return sorted(listed)

        quiet = dict(os.environ, HOME="/nonexistent", KUBECONFIG="/dev/null")
        for name, documents in self.rendered.items():
            folder = self.tree / ("base" if name == "base" else f"overlays/{name}")
            text = run("kubectl", "kustomize", folder, env=quiet)
            self.assertEqual(normal(documents), normal([one for one in yaml.safe_load_all(text) if one]), name)
            # Through kubectl's own types and back: it refuses what is of a wrong type, and loses what it doesn't know.
            done = subprocess.run(["kubectl", "set", "image", "--local", "-f", "-", "none=none", "-o", "yaml"], input=text,
                                  capture_output=True, text=True, env=quiet, timeout=60, check=False)
            said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("error: ")]
            for line in done.stderr.splitlines():
                self.assertNotIn("unmarshal", line)
            self.assertTrue(all("does not have a pod template" in line or "unable to find container" in line
                                for line in said), done.stderr)

    def test_kubectl_knows_every_field(self):
        if not kubectl_renders():
            self.skipTest("no kubectl of 1.29 or later")

        def lost(before, after, path=""):
            if isinstance(before, dict):
                for key, value in before.items():
                    if key not in after:
                        yield f"{path}.{key}"
                    else:
                        yield from lost(value, after[key], f"{path}.{key}")
            elif isinstance(before, list):
                for index, value in enumerate(before):
                    yield from lost(value, after[index], f"{path}[{index}]")

        for where, deployment, _ in self.workloads():
            done = subprocess.run(["kubectl", "set", "serviceaccount", "--local", "-f", "-", "proxysql", "-o", "json"],
                                  input=json.dumps(deployment), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(0, done.returncode, done.stderr)
            # An empty object that is the default comes back as one, or not at all.
            self.assertEqual([], list(lost(deployment, json.loads(done.stdout))), where)

    def test_labels_and_names_meet(self):
        selectors = settings(CONFIG / "core.cnf")[0]
        for where, deployment, documents in self.workloads():
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            role = labels["component"]
            self.assertEqual(selectors[f"pulse.discovery.kubernetes.{role}_selector"].strip('"'),
                             ",".join(f"{key}={value}" for key, value in labels.items()), where)
            self.assertEqual(labels, deployment["spec"]["selector"]["matchLabels"], where)
            names = {volume["name"] for volume in pod_of(deployment)["volumes"]}
            mounted = {mount["name"] for one in containers(deployment) for mount in one["volumeMounts"]}
            self.assertEqual(names, mounted, where)
            budgets = [one for one in documents if one["kind"] == "PodDisruptionBudget"
                       and one["spec"]["selector"]["matchLabels"] == labels]
            self.assertEqual(1, len(budgets), where)
        for where, scaler, documents in self.all_of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            (scaled,) = [one for one in documents if one["kind"] == target["kind"]
                         and one["metadata"]["name"] == target["name"]]
            self.assertNotIn("replicas", scaled["spec"], "two would say it")
            for one in containers(scaled):
                self.assertIn("cpu", one["resources"]["requests"], where)
        for documents in self.rendered.values():
            for document in documents:
                name = document["metadata"].get("namespace", document["metadata"]["name"])
                self.assertEqual(NAMESPACE, name)

    def test_the_role_is_the_documented_one(self):
        page = (SOURCE / "docs/discovery.md").read_text()
        block = re.search(r"^    apiVersion: rbac.*?(?=^\S)", page, re.M | re.S).group(0)
        documented = {one["kind"]: one for one in yaml.safe_load_all(textwrap.dedent(block))}
        for where, role, _ in self.all_of("Role"):
            self.assertEqual(documented["Role"]["rules"], role["rules"], where)
            # A core's revision, by which its file counts.
            rules = {name: rule["verbs"] for rule in role["rules"] for name in rule["resources"]}
            for name in ("replicasets", "controllerrevisions"):
                self.assertLessEqual({"get", "list"}, set(rules[name]), where)
        for where, binding, _ in self.all_of("RoleBinding"):
            for part in ("roleRef", "subjects"):
                self.assertEqual(documented["RoleBinding"][part], binding[part], where)

    def test_the_component_for_a_lease(self):
        folder = KUBERNETES / "components/lease"
        (component,) = load(folder / "kustomization.yaml")
        self.assertEqual("Component", component["kind"])
        role, binding = (one for name in component["resources"] for one in load(folder / name))
        rule = re.search(r"^    - ({ apiGroups: \[coordination.*})$", (SOURCE / "docs/jobs.md").read_text(), re.M).group(1)
        self.assertEqual([yaml.safe_load(rule)], role["rules"])
        self.assertEqual(role["metadata"]["name"], binding["roleRef"]["name"])
        ours = next(one for _, one, _ in self.all_of("RoleBinding"))
        self.assertEqual([(one["kind"], one["name"]) for one in ours["subjects"]],
                         [(one["kind"], one["name"]) for one in binding["subjects"]])
        self.assertNotEqual(ours["metadata"]["name"], binding["metadata"]["name"], "one would replace the other")

    def test_the_prometheus_operator_gets_what_prometheus_gets(self):
        monitor, rule = render(OPERATOR)
        self.assertEqual(["PodMonitor", "PrometheusRule"], [monitor["kind"], rule["kind"]])
        (alerts,) = load(CONFIG / "prometheus/alerts.yml")
        self.assertEqual(alerts, rule["spec"])
        # As it is made.
        again = self.temp_dir() / "proxysql-config"
        shutil.copytree(CONFIG, again)
        made = again / OPERATOR.relative_to(CONFIG) / "prometheus-rule.yaml"
        made.unlink()
        run(made.parent / "make-rule")
        self.assertEqual((OPERATOR / "prometheus-rule.yaml").read_text(), made.read_text())
        # What it scrapes is there: each pod, by the name of the daemon's port.
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        self.assertIn(f"GET {endpoint['path']}`", (SOURCE / "docs/metrics.md").read_text())
        for where, workload, _ in self.workloads():
            labels = workload["spec"]["template"]["metadata"]["labels"]
            self.assertLessEqual(monitor["spec"]["selector"]["matchLabels"].items(), labels.items(), where)
            ports = {port["name"]: port["containerPort"] for port in container(workload, "pulsed")["ports"]}
            self.assertEqual(8080, ports[endpoint["port"]], where)
        # The job is NAMESPACE/NAME.
        job = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
        for pattern in re.findall(r'job=~"([^"]*)"', (CONFIG / "prometheus/alerts.yml").read_text()):
            self.assertRegex(job, f"^{pattern}$")
        if kubectl_renders():
            text = run("kubectl", "kustomize", OPERATOR)
            self.assertEqual([monitor, rule], [one for one in yaml.safe_load_all(text) if one])

    def test_an_overlay_of_your_own(self):
        """The one in the documentation, with the component."""
        tree = self.temp_dir() / "kubernetes"
        shutil.copytree(KUBERNETES, tree)
        own = tree / "overlays/yours"
        own.mkdir()
        page = (SOURCE / "docs/kubernetes.md").read_text()
        told = textwrap.dedent(re.search(r"^       resources: \[\.\./exec-hook\].*?(?=^$)", page, re.M | re.S).group(0))
        component = re.search(r"`(components: \[[^`]+\])`", (SOURCE / "docs/jobs.md").read_text()).group(1)
        (own / "kustomization.yaml").write_text(f"{told}{component}\n".replace("REGISTRY", "registry.example"))
        ways = [render(own)]
        if kubectl_renders():
            ways.append(list(yaml.safe_load_all(run("kubectl", "kustomize", own))))
        for documents in ways:
            bound = [one for one in documents if one["kind"] == "RoleBinding"]
            self.assertEqual(["proxysql-pulse", "proxysql-pulse-lease"], sorted(one["metadata"]["name"] for one in bound))
            for one in bound:
                self.assertEqual((NAMESPACE, NAMESPACE), (one["metadata"]["namespace"], one["subjects"][0]["namespace"]))
            for role in (one for one in documents if one["kind"] == "Role"):
                self.assertEqual(NAMESPACE, role["metadata"]["namespace"])
            for deployment in (one for one in documents if one["kind"] == "Deployment"):
                self.assertRegex(container(deployment, "pulsed")["image"], r"^registry\.example/proxysql-pulse:[0-9.]+$")

    def test_ports(self):
        for where, deployment, _, known, _ in self.pods():
            ports = {name: [port["containerPort"] for port in container(deployment, name)["ports"]]
                     for name in ("proxysql", "pulsed")}
            pgsql = [int(known["daemon.pgsql_port"])] if where.startswith("postgresql ") else []
            self.assertEqual([int(known["daemon.mysql_port"]), int(known["admin.port"])] + pgsql, ports["proxysql"], where)
            self.assertEqual([int(known["daemon.port"])], ports["pulsed"], where)
            for one in containers(deployment):
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    if probe in one:
                        self.assertEqual(int(known["daemon.port"]), one[probe]["httpGet"]["port"], where)
            self.assertEqual(known["discovery.port"], known["admin.port"])
        known = settings(KUBERNETES / "base/core.cnf")[0]
        mysql, admin, probes = (int(known[f"pulse.{key}"]) for key in ("daemon.mysql_port", "admin.port", "daemon.port"))
        pgsql = int(settings(KUBERNETES / "overlays/postgresql/core.cnf")[0]["pulse.daemon.pgsql_port"])
        for where, service, _ in self.all_of("Service"):
            headless = service["spec"].get("clusterIP") == "None"
            clients = [(mysql, mysql)] + ([(pgsql, pgsql)] if where.startswith("postgresql ") else [])
            self.assertEqual([(admin, admin)] if headless else clients,
                             [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]], where)
        for name, documents in self.rendered.items():
            open_ports = {port["port"] for policy in documents if policy["kind"] == "NetworkPolicy"
                          for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            self.assertEqual({mysql, admin, probes} | ({pgsql} if name == "postgresql" else set()), open_ports, name)

    def test_cores_reach_each_others_status(self):
        """Each asks the others what has been applied, at its own daemon's port."""
        probes = int(settings(KUBERNETES / "base/core.cnf")[0]["pulse.daemon.port"])
        labels = {"app": "proxysql", "component": "core"}
        for documents in self.rendered.values():
            cores = [one["spec"]["template"]["metadata"]["labels"] for one in documents if one["kind"] in WORKLOADS
                     and one["spec"]["template"]["metadata"]["labels"].get("component") == "core"]
            for core in cores:
                self.assertLessEqual(labels.items(), core.items())
            policies = [one["spec"] for one in documents if one["kind"] == "NetworkPolicy"
                        and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()]
            allowed = [rule for policy in policies for rule in policy["ingress"]
                       if probes in [port["port"] for port in rule["ports"]]
                       and any(peer.get("podSelector", {}).get("matchLabels", {}).items() <= labels.items()
                               for peer in rule.get("from", [{}]))]
            self.assertTrue(not policies or allowed)

    def test_bootstrap_name_is_the_headless_service(self):
        for where, workload, text, _, _ in self.pods():
            names = re.findall(r'hostname = "([^"]+)"', text)
            name = names[0].split(".")[-1]
            (service,) = [one for one in self.rendered[where.split()[0]] if one["kind"] == "Service"
                          and one["metadata"]["name"] == name]
            if workload["kind"] == "StatefulSet":  # a name for each pod, also while it isn't ready
                self.assertEqual(name, workload["spec"]["serviceName"], where)
                self.assertEqual([f"{workload['metadata']['name']}-{pod}.{name}"
                                  for pod in range(workload["spec"]["replicas"])], names, where)
                self.assertTrue(service["spec"]["publishNotReadyAddresses"], where)
            else:
                self.assertEqual([name], names, where)
            self.assertEqual("None", service["spec"]["clusterIP"], where)
            self.assertEqual("core", service["spec"]["selector"]["component"], where)

    def test_paths_and_group(self):
        for where, deployment, text, known, _ in self.pods():
            beat, pulsed, proxysql = (container(deployment, name) for name in ("beat", "pulsed", "proxysql"))
            self.assertEqual(["/usr/bin/proxysql-pulse", "install", mount_of(beat, "pulse")], beat["command"], where)
            installed = mount_of(proxysql, "pulse") + "/proxysql-pulse"
            self.assertIn(f'filename = "{installed}"', text, where)
            hooks = [one.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command") for one in (proxysql, pulsed)]
            self.assertIn(hooks[0], (None, [installed, "drain"]), where)
            self.assertIn(hooks[1], (None, ["/usr/bin/proxysql-pulse", "drain"]), where)
            for one in (proxysql, pulsed):
                self.assertEqual(os.path.dirname(known["state"]), mount_of(one, "segment"), where)
                self.assertEqual("/etc/proxysql.cnf", mount_of(one, "config"), where)
            self.assertEqual(known["discovery.kubernetes.service_account"], mount_of(pulsed, "api"), where)
            self.assertIsNone(mount_of(proxysql, "api"), where)
            (api,) = [volume["projected"]["sources"] for volume in pod_of(deployment)["volumes"] if volume["name"] == "api"]
            files = [source["serviceAccountToken"]["path"] if "serviceAccountToken" in source else
                     list(source.values())[0]["items"][0]["path"] for source in api]
            self.assertEqual(["token", "ca.crt", "namespace"], files, where)
            security = pod_of(deployment)["securityContext"]
            self.assertEqual([known["group"]] * 2, [str(security["fsGroup"]), str(security["runAsGroup"])], where)
            (data,) = re.findall('datadir = "(.*)"', text)
            self.assertEqual(data, proxysql["command"][proxysql["command"].index("-D") + 1], where)
            self.assertEqual(data, mount_of(proxysql, "data"), where)

    def test_variables_are_keys(self):
        for where, deployment, _, known, _ in self.pods():
            names = {"PULSE_" + key.upper().replace(".", "_") for key in known}
            said = {one["name"] for one in container(deployment, "pulsed").get("env", [])}
            self.assertLessEqual(said, names, where)
            self.assertIn("PULSE_ADDRESS", said, where)

    def test_the_pod_outlasts_a_drain(self):
        for where, deployment, _, known, output in self.pods():
            grace = pod_of(deployment)["terminationGracePeriodSeconds"]
            least = int(re.search(r"terminationGracePeriodSeconds must be (\d+) or more", output).group(1))
            self.assertGreaterEqual(grace, least, where)
            self.assertEqual(grace * 1000, int(known["drain.grace_ms"]), where)

    def test_hooks(self):
        for name, deployment_hook in (("base", None), ("exec-hook", "exec"), ("http-hook", "httpGet"),
                                      ("before-1.29", "exec"), ("postgresql", "exec"), ("single-tier", "exec")):
            for document in self.rendered[name]:
                if document["kind"] in WORKLOADS:
                    hook = container(document, "proxysql").get("lifecycle", {}).get("preStop")
                    self.assertEqual(deployment_hook and {deployment_hook}, hook and set(hook), name)
        documents = self.rendered["http-hook"]
        (token,) = [one["stringData"]["token"].strip() for one in documents
                    if one["kind"] == "Secret" and "token" in one["stringData"]]
        self.assertRegex(token, "^[0-9a-f]{48}$")
        for deployment in (one for one in documents if one["kind"] == "Deployment"):
            (header,) = container(deployment, "proxysql")["lifecycle"]["preStop"]["httpGet"]["httpHeaders"]
            self.assertEqual({"name": "X-Pulse-Token", "value": token}, header)
            (variable,) = [one["value"] for one in container(deployment, "pulsed")["env"]
                           if one["name"] == "PULSE_DAEMON_TOKEN_FILE"]
            self.assertEqual(mount_of(container(deployment, "pulsed"), "token") + "/token", variable)

    def test_no_token_is_shipped(self):
        shipped = KUBERNETES / "overlays/http-hook"
        with self.assertRaises(FileNotFoundError):
            render(shipped)
        if kubectl_renders():
            run("kubectl", "kustomize", shipped, expect=1)
        for path in KUBERNETES.rglob("*"):
            if path.is_file():
                self.assertNotIn("change-me", path.read_text(), path)
        first = (self.tree / "overlays/http-hook/token").read_text()
        again = self.temp_dir() / "http-hook"
        shutil.copytree(shipped, again)
        run(again / "make-token")
        self.assertNotEqual(first, (again / "token").read_text())
        self.assertEqual(0o600, (again / "token").stat().st_mode & 0o777)

    def test_sidecars(self):
        for where, deployment, _ in self.workloads():
            names = [one["name"] for one in pod_of(deployment)["initContainers"]]
            if where.startswith("before-1.29"):
                self.assertEqual(["beat"], names, where)
                self.assertNotIn("restartPolicy", container(deployment, "pulsed"), where)
            else:
                self.assertEqual(["beat", "pulsed"], names, where)
                self.assertEqual("Always", container(deployment, "pulsed")["restartPolicy"], where)
            # ProxySQL would wait for it, and it for ProxySQL.
            self.assertNotIn("startupProbe", container(deployment, "pulsed"), where)

    def test_nobody_is_root(self):
        for where, deployment, _ in self.workloads():
            self.assertTrue(pod_of(deployment)["securityContext"]["runAsNonRoot"], where)
            self.assertEqual("RuntimeDefault", pod_of(deployment)["securityContext"]["seccompProfile"]["type"], where)
            for one in containers(deployment):
                security = one["securityContext"]
                self.assertGreater(security["runAsUser"], 0, where)
                self.assertTrue(security["readOnlyRootFilesystem"], where)
                self.assertFalse(security["allowPrivilegeEscalation"], where)
                self.assertEqual(["ALL"], security["capabilities"]["drop"], where)
                self.assertIn("memory", one["resources"]["limits"], where)
        user = re.search(r"^USER (\d+):", (SOURCE / "Dockerfile").read_text(), re.M).group(1)
        for where, deployment, _ in self.workloads():
            self.assertEqual(int(user), container(deployment, "pulsed")["securityContext"]["runAsUser"], where)

    def test_image_is_of_this_version(self):
        version = pulse("--version").split()[1]
        for where, deployment, _ in self.workloads():
            self.assertEqual(f"proxysql-pulse:{version}", container(deployment, "pulsed")["image"], where)

    def test_a_cluster_comes_up_from_them(self):
        """A core's and a satellite's pod, their containers' commands and files, on loopback addresses instead of pods'."""
        texts = {where: text for where, _, text, _, _ in self.pods()}
        for overlay in ("exec-hook", "postgresql"):
            with self.subTest(overlay):
                self.come_up(overlay, texts)

    def come_up(self, overlay, texts):
        deployments = {one["metadata"]["name"]: one for one in self.rendered[overlay] if one["kind"] == "Deployment"}
        admin, mysql = free_port(), free_port()
        with contextlib.ExitStack() as stack:
            api = stack.enter_context(Api(self))
            nodes = {}
            for role, address in (("core", "127.0.0.11"), ("satellite", "127.0.0.12")):
                deployment = deployments[f"proxysql-{role}"]
                api.pod(f"{role}-0", address, deployment["spec"]["template"]["metadata"]["labels"])
                node = stack.enter_context(Node(self, texts[f"{overlay} proxysql-{role}"], address, admin, mysql,
                                                core="127.0.0.11", command=container(deployment, "proxysql")["command"]))
                node.start_daemon(container(deployment, "pulsed")["env"], api)
                nodes[role] = node
            pods = {role: deployments[f"proxysql-{role}"] for role in nodes}
            for role, node in nodes.items():
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    path = container(pods[role], "proxysql")[probe]["httpGet"]["path"]
                    self.assertTrue(eventually(lambda: node.get(path)[0] == 200),
                                    f"{role} {probe}: {node.get(path)}\n{node.log()}")
            _, status = nodes["satellite"].get("/status")
            # From 3.0.7 on that of PostgreSQL, too.
            self.assertIn(status["backends"]["total"], (1,) if overlay == "exec-hook" else (1, 2),
                          "what the core's file holds has come over")
            self.assertEqual(["core-0", "satellite-0"], sorted(member["name"] for member in status["members"]))
            self.assertEqual(["satellite-0"], [member["name"] for member in status["members"] if member["self"]])
            for node in nodes.values():
                self.assertTrue(eventually(lambda: node.servers() == ["127.0.0.11"]),
                                "the address in the Service's place\n" + node.log())
            for role, node in nodes.items():
                grace = pod_of(pods[role])["terminationGracePeriodSeconds"]
                command = container(pods[role], "proxysql")["lifecycle"]["preStop"]["exec"]["command"]
                run(BUILD / "bin/proxysql-pulse", *command[1:], f"--config={node.config}", f"--state={node.state}",
                    env={"PULSE_DRAIN_SETTLE_MS": "300"})
                self.assertEqual(0, node.proxysql.wait(timeout=grace), role)
                node.pulsed.send_signal(signal.SIGTERM)  # as the kubelet does then
                self.assertEqual(0, node.pulsed.wait(timeout=grace), role)


if __name__ == "__main__":
    unittest.main()
