// The AWS SDK for JavaScript v3, unmodified, over every operation of AWS KMS, STS and IAM that Keystead offers.
//
// The environment points it at a server (`keystead env aws`). What it prints is a JSON object: service -> the
// operations that went well. Whatever does not go as AWS documents it ends the process with a status other than 0.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import * as iamSdk from "@aws-sdk/client-iam";
import * as kmsSdk from "@aws-sdk/client-kms";
import * as stsSdk from "@aws-sdk/client-sts";

const done = { kms: new Set(), sts: new Set(), iam: new Set() };

/** A function (operation, members) -> answer, which keeps in mind what went well. */
function caller(service, sdk, Client, options = {}) {
  const client = new Client({ maxAttempts: 1, ...options });
  return async (operation, members = {}) => {
    const answer = await client.send(new sdk[`${operation}Command`](members));
    done[service].add(operation);
    return answer;
  };
}

const kms = caller("kms", kmsSdk, kmsSdk.KMSClient);
const sts = caller("sts", stsSdk, stsSdk.STSClient);
const iam = caller("iam", iamSdk, iamSdk.IAMClient);

const bytes = (text) => new TextEncoder().encode(text);
const same = (one, other) => assert.deepEqual(Buffer.from(one), Buffer.from(other));
const named = (word) => `${word}-${crypto.randomBytes(4).toString("hex")}`;
const fails = (promise, name) => assert.rejects(promise, (error) => error.name === name || assert.fail(`${error}`));
const publicKey = (der) => crypto.createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
const document = (...statements) => JSON.stringify({ Version: "2012-10-17", Statement: statements });
const create = async (members = {}) => (await kms("CreateKey", members)).KeyMetadata;

async function whoAmI() {
  const who = await sts("GetCallerIdentity");
  assert.match(who.Arn, /^arn:aws:iam::\d{12}:user\//);
  const session = (await sts("GetSessionToken")).Credentials;
  assert.equal((await sts("GetAccessKeyInfo", { AccessKeyId: process.env.AWS_ACCESS_KEY_ID })).Account, who.Account);
  const credentials = {
    accessKeyId: session.AccessKeyId,
    secretAccessKey: session.SecretAccessKey,
    sessionToken: session.SessionToken,
  };
  const withSession = caller("kms", kmsSdk, kmsSdk.KMSClient, { credentials });
  assert.ok((await withSession("ListKeys", { Limit: 1 })).Keys.length <= 1);
  const forged = { ...credentials, sessionToken: `${credentials.sessionToken.slice(0, -8)}AAAAAAAA` };
  await fails(caller("kms", kmsSdk, kmsSdk.KMSClient, { credentials: forged })("ListKeys"), "UnrecognizedClientException");
  return who;
}

async function aLife() {
  const made = await create({ Description: "of JavaScript", Tags: [{ TagKey: "a", TagValue: "1" }] });
  const KeyId = made.KeyId;
  assert.ok(made.CreationDate instanceof Date);
  assert.deepEqual((await kms("DescribeKey", { KeyId: made.Arn })).KeyMetadata, made);
  await kms("UpdateKeyDescription", { KeyId, Description: "changed" });
  await kms("DisableKey", { KeyId });
  await fails(kms("Encrypt", { KeyId, Plaintext: bytes("x") }), "DisabledException");
  await kms("EnableKey", { KeyId });
  assert.deepEqual((await kms("GetKeyLastUsage", { KeyId })).KeyCreationDate, made.CreationDate);
  const until = await kms("ScheduleKeyDeletion", { KeyId, PendingWindowInDays: 7 });
  assert.equal(until.KeyState, "PendingDeletion");
  await fails(kms("EnableKey", { KeyId }), "KMSInvalidStateException");
  assert.equal((await kms("CancelKeyDeletion", { KeyId })).KeyId, made.Arn);
  assert.equal((await kms("DescribeKey", { KeyId })).KeyMetadata.KeyState, "Disabled");
  await fails(kms("DescribeKey", { KeyId: "alias/nowhere" }), "NotFoundException");
}

async function listings() {
  const ids = new Set();
  for (let n = 0; n < 3; n++) ids.add((await create()).KeyId);
  for await (const page of kmsSdk.paginateListKeys({ client: new kmsSdk.KMSClient({}), pageSize: 2 }, {})) {
    for (const key of page.Keys) ids.delete(key.KeyId);
  }
  done.kms.add("ListKeys");
  assert.equal(ids.size, 0);
}

async function policiesTagsAndAliases(who) {
  const { KeyId } = await create();
  const root = { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${who.Account}:root` }, Action: "kms:*", Resource: "*" };
  await kms("PutKeyPolicy", { KeyId, Policy: document(root) });
  assert.equal((await kms("GetKeyPolicy", { KeyId })).Policy, document(root));
  assert.deepEqual((await kms("ListKeyPolicies", { KeyId })).PolicyNames, ["default"]);
  await fails(kms("PutKeyPolicy", { KeyId, Policy: "my policy" }), "MalformedPolicyDocumentException");
  await kms("TagResource", { KeyId, Tags: [{ TagKey: "a", TagValue: "1" }, { TagKey: "b", TagValue: "2" }] });
  await kms("UntagResource", { KeyId, TagKeys: ["a"] });
  assert.deepEqual((await kms("ListResourceTags", { KeyId })).Tags, [{ TagKey: "b", TagValue: "2" }]);
  const AliasName = `alias/${named("js")}`;
  await kms("CreateAlias", { AliasName, TargetKeyId: KeyId });
  await fails(kms("CreateAlias", { AliasName, TargetKeyId: KeyId }), "AlreadyExistsException");
  const other = await create();
  await kms("UpdateAlias", { AliasName, TargetKeyId: other.KeyId });
  assert.equal((await kms("DescribeKey", { KeyId: AliasName })).KeyMetadata.Arn, other.Arn);
  assert.equal((await kms("ListAliases", { KeyId: other.KeyId })).Aliases[0].AliasName, AliasName);
  await kms("DeleteAlias", { AliasName });
}

async function encryption() {
  const made = await create();
  const KeyId = made.Arn;
  const EncryptionContext = { app: "pay", env: "prod" };
  const sealed = await kms("Encrypt", { KeyId, Plaintext: bytes("hello"), EncryptionContext });
  const back = { env: "prod", app: "pay" }; // in another order
  same((await kms("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: back })).Plaintext, bytes("hello"));
  await fails(kms("Decrypt", { CiphertextBlob: sealed.CiphertextBlob }), "InvalidCiphertextException");
  const other = await create();
  const again = await kms("ReEncrypt", {
    CiphertextBlob: sealed.CiphertextBlob,
    SourceEncryptionContext: EncryptionContext,
    DestinationKeyId: other.KeyId,
  });
  assert.equal(again.KeyId, other.Arn);
  await fails(kms("Decrypt", { KeyId, CiphertextBlob: again.CiphertextBlob }), "IncorrectKeyException");
  await fails(kms("Encrypt", { KeyId, Plaintext: bytes("x"), DryRun: true }), "DryRunOperationException");

  const dataKey = await kms("GenerateDataKey", { KeyId, KeySpec: "AES_256", EncryptionContext });
  same((await kms("Decrypt", { CiphertextBlob: dataKey.CiphertextBlob, EncryptionContext })).Plaintext, dataKey.Plaintext);
  assert.equal(dataKey.Plaintext.length, 32);
  const blind = await kms("GenerateDataKeyWithoutPlaintext", { KeyId, NumberOfBytes: 64 });
  assert.equal((await kms("Decrypt", { CiphertextBlob: blind.CiphertextBlob })).Plaintext.length, 64);
  const pair = await kms("GenerateDataKeyPair", { KeyId, KeyPairSpec: "ECC_NIST_P256" });
  const secret = crypto.createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext), format: "der", type: "pkcs8" });
  same(crypto.createPublicKey(secret).export({ format: "der", type: "spki" }), pair.PublicKey);
  const blindPair = await kms("GenerateDataKeyPairWithoutPlaintext", { KeyId, KeyPairSpec: "RSA_2048" });
  assert.equal(publicKey(blindPair.PublicKey).asymmetricKeyType, "rsa");
  assert.equal((await kms("GenerateRandom", { NumberOfBytes: 24 })).Plaintext.length, 24);

  await kms("EnableKeyRotation", { KeyId, RotationPeriodInDays: 180 });
  assert.equal((await kms("GetKeyRotationStatus", { KeyId })).RotationPeriodInDays, 180);
  await kms("RotateKeyOnDemand", { KeyId });
  assert.equal((await kms("ListKeyRotations", { KeyId })).Rotations[0].RotationType, "ON_DEMAND");
  same((await kms("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext })).Plaintext, bytes("hello"));
  await kms("DisableKeyRotation", { KeyId });
}

async function signaturesAndMacs() {
  const curve = await create({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" });
  const asked = { KeyId: curve.KeyId, Message: bytes("message"), SigningAlgorithm: "ECDSA_SHA_256" };
  const { Signature } = await kms("Sign", asked);
  assert.equal((await kms("Verify", { ...asked, Signature })).SignatureValid, true);
  await fails(kms("Verify", { ...asked, Message: bytes("another"), Signature }), "KMSInvalidSignatureException");
  const told = await kms("GetPublicKey", { KeyId: curve.KeyId });
  assert.equal(crypto.verify("sha256", bytes("message"), publicKey(told.PublicKey), Signature), true);

  const mac = await create({ KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC" });
  const tagged = { KeyId: mac.KeyId, Message: bytes("message"), MacAlgorithm: "HMAC_SHA_256" };
  const { Mac } = await kms("GenerateMac", tagged);
  assert.equal((await kms("VerifyMac", { ...tagged, Mac })).MacValid, true);
  await fails(kms("VerifyMac", { ...tagged, Message: bytes("another"), Mac }), "KMSInvalidMacException");
}

async function agreement() {
  const { KeyId } = await create({ KeySpec: "ECC_NIST_P256", KeyUsage: "KEY_AGREEMENT" });
  const ours = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const PublicKey = ours.publicKey.export({ format: "der", type: "spki" });
  const shared = await kms("DeriveSharedSecret", { KeyId, KeyAgreementAlgorithm: "ECDH", PublicKey });
  const theirs = publicKey((await kms("GetPublicKey", { KeyId })).PublicKey);
  same(shared.SharedSecret, crypto.diffieHellman({ privateKey: ours.privateKey, publicKey: theirs }));

  const kem = { KeyId: (await create({ KeySpec: "ML_KEM_768", KeyUsage: "ENCAPSULATE_DECAPSULATE" })).KeyId };
  const made = await kms("Encapsulate", { ...kem, EncapsulationAlgorithm: "ML_KEM" });
  const { SharedSecretCiphertextBlob } = made;
  const opened = await kms("Decapsulate", { ...kem, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob });
  same(opened.SharedSecret, made.SharedSecret);
}

async function grants(who) {
  const key = await create();
  const KeyId = key.KeyId;
  const asked = { KeyId, GranteePrincipal: who.Arn, RetiringPrincipal: who.Arn, Operations: ["Encrypt", "Decrypt"] };
  const one = await kms("CreateGrant", asked);
  assert.match(one.GrantId, /^[0-9a-f]{64}$/);
  assert.deepEqual((await kms("ListGrants", { KeyId })).Grants.map((grant) => grant.GrantId), [one.GrantId]);
  const retirable = (await kms("ListRetirableGrants", { RetiringPrincipal: who.Arn })).Grants;
  assert.ok(retirable.some((grant) => grant.GrantId === one.GrantId && grant.KeyId === key.Arn));
  await kms("Encrypt", { KeyId, Plaintext: bytes("x"), GrantTokens: [one.GrantToken] });
  await kms("RetireGrant", { GrantToken: one.GrantToken });
  const two = await kms("CreateGrant", asked);
  await kms("RevokeGrant", { KeyId, GrantId: two.GrantId });
  assert.deepEqual((await kms("ListGrants", { KeyId })).Grants, []);
  await fails(kms("RevokeGrant", { KeyId, GrantId: two.GrantId }), "NotFoundException");
}

async function bringYourOwnKey() {
  const { KeyId } = await create({ Origin: "EXTERNAL" });
  const given = await kms("GetParametersForImport", {
    KeyId,
    WrappingAlgorithm: "RSAES_OAEP_SHA_256",
    WrappingKeySpec: "RSA_2048",
  });
  const wrapped = crypto.publicEncrypt(
    { key: publicKey(given.PublicKey), padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    crypto.randomBytes(32),
  );
  await fails(kms("Encrypt", { KeyId, Plaintext: bytes("x") }), "KMSInvalidStateException");
  await kms("ImportKeyMaterial", {
    KeyId,
    ImportToken: given.ImportToken,
    EncryptedKeyMaterial: wrapped,
    ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
  });
  await kms("Encrypt", { KeyId, Plaintext: bytes("x") });
  await kms("DeleteImportedKeyMaterial", { KeyId });
  assert.equal((await kms("DescribeKey", { KeyId })).KeyMetadata.KeyState, "PendingImport");
}

async function users() {
  const UserName = named("js");
  const { User } = await iam("CreateUser", { UserName });
  assert.equal((await iam("GetUser", { UserName })).User.Arn, User.Arn);
  assert.ok((await iam("ListUsers")).Users.some((one) => one.Arn === User.Arn));
  const PolicyDocument = document({ Effect: "Allow", Action: "kms:ListKeys", Resource: "*" });
  await iam("PutUserPolicy", { UserName, PolicyName: "p", PolicyDocument });
  assert.deepEqual((await iam("ListUserPolicies", { UserName })).PolicyNames, ["p"]);
  const kept = await iam("GetUserPolicy", { UserName, PolicyName: "p" });
  assert.equal(decodeURIComponent(kept.PolicyDocument), PolicyDocument);
  const { AccessKey } = await iam("CreateAccessKey", { UserName });
  const credentials = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  const asUser = caller("kms", kmsSdk, kmsSdk.KMSClient, { credentials });
  assert.ok((await asUser("ListKeys")).Keys);
  await fails(asUser("GenerateRandom", { NumberOfBytes: 1 }), "AccessDeniedException");
  await iam("UpdateAccessKey", { UserName, AccessKeyId: AccessKey.AccessKeyId, Status: "Inactive" });
  assert.equal((await iam("ListAccessKeys", { UserName })).AccessKeyMetadata[0].Status, "Inactive");
  await fails(asUser("ListKeys"), "UnrecognizedClientException");
  await iam("DeleteAccessKey", { UserName, AccessKeyId: AccessKey.AccessKeyId });
  await iam("DeleteUserPolicy", { UserName, PolicyName: "p" });
  await iam("DeleteUser", { UserName });
  await fails(iam("GetUser", { UserName }), "NoSuchEntityException");
}

async function roles(who) {
  const RoleName = named("js");
  const trust = { Effect: "Allow", Principal: { AWS: who.Account }, Action: "sts:AssumeRole" };
  const { Role } = await iam("CreateRole", { RoleName, AssumeRolePolicyDocument: document(trust) });
  assert.equal((await iam("GetRole", { RoleName })).Role.Arn, Role.Arn);
  assert.ok((await iam("ListRoles")).Roles.some((one) => one.Arn === Role.Arn));
  const PolicyDocument = document({ Effect: "Allow", Action: "kms:*", Resource: "*" });
  await iam("PutRolePolicy", { RoleName, PolicyName: "p", PolicyDocument });
  assert.deepEqual((await iam("ListRolePolicies", { RoleName })).PolicyNames, ["p"]);
  assert.equal((await iam("GetRolePolicy", { RoleName, PolicyName: "p" })).PolicyName, "p");
  const session = await sts("AssumeRole", { RoleArn: Role.Arn, RoleSessionName: "here" });
  assert.equal(session.AssumedRoleUser.Arn, `arn:aws:sts::${who.Account}:assumed-role/${RoleName}/here`);
  await iam("UpdateAssumeRolePolicy", { RoleName, PolicyDocument: document({ ...trust, Effect: "Deny" }) });
  await fails(sts("AssumeRole", { RoleArn: Role.Arn, RoleSessionName: "here" }), "AccessDenied");
  await iam("DeleteRolePolicy", { RoleName, PolicyName: "p" });
  await iam("DeleteRole", { RoleName });
}

const who = await whoAmI();
for (const part of [aLife, listings, policiesTagsAndAliases, encryption, signaturesAndMacs, agreement]) await part(who);
for (const part of [grants, bringYourOwnKey, users, roles]) await part(who);
const sorted = Object.entries(done).map(([service, operations]) => [service, [...operations].sort()]);
console.log(JSON.stringify(Object.fromEntries(sorted)));
