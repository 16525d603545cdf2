// node-vault, unmodified, over its named commands and its general ones, against the Vault door.
//
// The environment points it at a server (`keystead env vault`). What it prints is a JSON array: the commands that went
// well. Whatever does not go as Vault documents it ends the process with a status other than 0.

import assert from "node:assert/strict";
import nodeVault from "node-vault";

const done = new Set();

/** A client of which every command that succeeds is kept in mind. */
function client(options = {}) {
  return new Proxy(nodeVault(options), {
    get: (target, name) => {
      const found = target[name];
      if (typeof found !== "function") return found;
      return async (...given) => {
        const answer = await found(...given);
        done.add(name);
        return answer;
      };
    },
  });
}

const fails = (promise, statusCode, words = /./) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.response.statusCode, statusCode);
    assert.match(error.message, words);
    return true;
  });

const vault = client();

async function howItStands() {
  assert.equal((await vault.health()).sealed, false);
  assert.equal((await vault.status()).sealed, false);
  assert.equal((await vault.initialized()).initialized, true);
  assert.equal((await vault.leader()).ha_enabled, false);
}

async function mounts() {
  await vault.mount({ mount_point: "node", type: "kv", options: { version: "2" } });
  assert.equal((await vault.mounts()).data["node/"].options.version, "2");
  await vault.remount({ from: "node", to: "moved" });
  await vault.unmount({ mount_point: "moved" });
  assert.equal((await vault.mounts()).data["moved/"], undefined);
  await fails(vault.mount({ mount_point: "node", type: "no-such" }), 400);
  assert.match((await vault.help("sys/mounts")).help, /Matching Route: mounts/);
}

async function policies() {
  const rules = 'path "kv/data/a" { capabilities = ["read"] }';
  await vault.addPolicy({ name: "node", rules });
  assert.equal((await vault.getPolicy({ name: "node" })).rules, rules);
  assert.ok((await vault.policies()).policies.includes("node"));
  await vault.addPolicy({ name: "gone", rules });
  await vault.removePolicy({ name: "gone" });
}

async function secrets() {
  await vault.mount({ mount_point: "kv", type: "kv", options: { version: "2" } });
  assert.equal((await vault.write("kv/data/a", { data: { one: "1", two: "2" } })).data.version, 1);
  assert.equal((await vault.update("kv/data/a", { data: { two: null, three: "3" } })).data.version, 2);
  assert.deepEqual((await vault.read("kv/data/a")).data.data, { one: "1", three: "3" });
  assert.deepEqual((await vault.read("kv/data/a?version=1")).data.data, { one: "1", two: "2" });
  assert.deepEqual((await vault.list("kv/metadata")).data.keys, ["a"]);
  assert.deepEqual((await client({ noCustomHTTPVerbs: true }).list("kv/metadata")).data.keys, ["a"]);
  await vault.destroySecretVersions({ mount_point: "kv", path: "a", versions: [1] });
  assert.equal((await vault.read("kv/metadata/a")).data.versions[1].destroyed, true);
  await vault.delete("kv/metadata/a");
  await fails(vault.read("kv/data/a"), 404);

  await vault.mount({ mount_point: "kv1", type: "kv" });
  await vault.write("kv1/a/b", { value: "x" });
  assert.equal((await vault.read("kv1/a/b")).data.value, "x");
}

async function transit() {
  await vault.mount({ mount_point: "transit", type: "transit" });
  await vault.transitCreateKey({ name: "app" });
  assert.equal((await vault.transitReadKey({ name: "app" })).data.type, "aes256-gcm96");
  assert.deepEqual((await vault.transitListKeys()).data.keys, ["app"]);
  const plaintext = Buffer.from("hello").toString("base64");
  const { ciphertext } = (await vault.encryptData({ name: "app", plaintext })).data;
  const again = (await vault.rewrapData({ name: "app", ciphertext })).data.ciphertext;
  for (const one of [ciphertext, again]) {
    assert.equal((await vault.decryptData({ name: "app", ciphertext: one })).data.plaintext, plaintext);
  }
  await vault.write("transit/keys/app/config", { deletion_allowed: true });
  await vault.transitDeleteKey({ name: "app" });
}

async function tokens() {
  // a client takes over the token that it makes: each of these is one of its own
  const made = (await client().tokenCreate({ policies: ["node"], ttl: "1h", meta: { who: "node" } })).auth;
  const token = made.client_token;
  const child = client({ token });
  assert.equal((await vault.tokenLookup({ token })).data.meta.who, "node");
  assert.equal((await vault.tokenLookupAccessor({ accessor: made.accessor })).data.accessor, made.accessor);
  assert.deepEqual((await child.tokenLookupSelf()).data.policies, ["default", "node"]);
  assert.ok((await vault.tokenAccessors()).data.keys.includes(made.accessor));
  assert.equal((await client().tokenRenew({ token, increment: "2h" })).auth.lease_duration, 7200);
  assert.equal((await child.tokenRenewSelf({ increment: "1h" })).auth.lease_duration, 3600);
  await fails(child.mounts(), 403, /permission denied/);
  await child.tokenRevokeSelf();
  await fails(child.tokenLookupSelf(), 403);

  const orphan = (await client().tokenCreateOrphan({ policies: ["node"] })).auth;
  assert.equal(orphan.orphan, true);
  await vault.tokenRevokeAccessor({ accessor: orphan.accessor });
  await vault.tokenRevoke({ token: (await client().tokenCreate({ policies: ["node"] })).auth.client_token });
  await vault.tokenRevokeOrphan({ token: (await client().tokenCreate({ policies: ["node"] })).auth.client_token });

  await vault.addTokenRole({ role_name: "node", allowed_policies: "node" });
  assert.deepEqual((await vault.getTokenRole({ role_name: "node" })).data.allowed_policies, ["node"]);
  assert.deepEqual((await vault.tokenRoles()).data.keys, ["node"]);
  assert.deepEqual((await client().tokenCreateRole({ role_name: "node" })).auth.policies, ["default", "node"]);
  await vault.removeTokenRole({ role_name: "node" });
}

async function wrapping() {
  const inside = { a: "b" };
  const headers = { "X-Vault-Wrap-TTL": "1m" };
  const wrapped = await vault.write("sys/wrapping/wrap", inside, { headers });
  const { token } = wrapped.wrap_info;
  assert.deepEqual((await client({ token }).unwrap({})).data, inside);
  await fails(client({ token }).unwrap({}), 400, /wrapping token is not valid/);
}

async function logins() {
  await vault.enableAuth({ mount_point: "userpass", type: "userpass" });
  assert.equal((await vault.auths()).data["userpass/"].type, "userpass");
  await vault.write("auth/userpass/users/ada", { password: "one two three", token_policies: "node" });
  const nobody = client({ token: "none" });
  const ada = await nobody.userpassLogin({ username: "ada", password: "one two three" });
  assert.deepEqual(ada.auth.policies, ["default", "node"]);
  await fails(nobody.userpassLogin({ username: "ada", password: "wrong" }), 400, /invalid username or password/);

  await vault.enableAuth({ mount_point: "approle", type: "approle" });
  const role_name = "node";
  await vault.addApproleRole({ role_name, policies: "node" });
  assert.deepEqual((await vault.getApproleRole({ role_name })).data.token_policies, ["node"]);
  assert.deepEqual((await vault.approleRoles()).data.keys, [role_name]);
  await vault.updateApproleRoleId({ role_name, role_id: "node-id" });
  const { role_id } = (await vault.getApproleRoleId({ role_name })).data;
  assert.equal(role_id, "node-id");
  const { secret_id, secret_id_accessor } = (await vault.getApproleRoleSecret({ role_name })).data;
  assert.deepEqual((await nobody.approleLogin({ role_id, secret_id })).auth.policies, ["default", "node"]);
  assert.deepEqual((await vault.approleSecretAccessors({ role_name })).data.keys, [secret_id_accessor]);
  assert.equal((await vault.approleSecretLookup({ role_name, secret_id })).data.secret_id_accessor, secret_id_accessor);
  const looked = await vault.approleSecretAccessorLookup({ role_name, secret_id_accessor });
  assert.equal(looked.data.secret_id_accessor, secret_id_accessor);
  await vault.approleSecretDestroy({ role_name, secret_id });
  await fails(nobody.approleLogin({ role_id, secret_id }), 400, /invalid role or secret ID/);
  const other = (await vault.getApproleRoleSecret({ role_name })).data;
  await vault.approleSecretAccessorDestroy({ role_name, secret_id_accessor: other.secret_id_accessor });
  await fails(nobody.approleLogin({ role_id, secret_id: other.secret_id }), 400);
  await vault.deleteApproleRole({ role_name });
  await vault.disableAuth({ mount_point: "userpass" });
}

async function leases() {
  await vault.revoke({ lease_id: "no/such" }); // as Vault: it is gone
  await fails(vault.renew({ lease_id: "no/such" }), 400, /lease/);
}

for (const part of [howItStands, mounts, policies, secrets, transit, tokens, wrapping, logins, leases]) await part();
console.log(JSON.stringify([...done].sort()));
