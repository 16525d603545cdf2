// AWS KMS: keys, what they are used for, and who may use them.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { KMSClient, paginateListKeys } from "@aws-sdk/client-kms";
import { bytes, create, document, done, fails, kms, kmsWith, named, same } from "./clients.mjs";

const publicKey = (der) => crypto.createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });

export async function aLife() {
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

export async function listings() {
  const ids = new Set();
  for (let n = 0; n < 3; n++) ids.add((await create()).KeyId);
  for await (const page of paginateListKeys({ client: new KMSClient({}), pageSize: 2 }, {})) {
    for (const key of page.Keys) ids.delete(key.KeyId);
  }
  done.kms.add("ListKeys");
  assert.equal(ids.size, 0);
}

export async function policiesTagsAndAliases(who) {
  const { KeyId } = await create();
  const AWS = `arn:aws:iam::${who.Account}:root`;
  const root = { Effect: "Allow", Principal: { AWS }, Action: "kms:*", Resource: "*" };
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

export async function encryption() {
  const made = await create();
  const KeyId = made.Arn;
  const EncryptionContext = { app: "pay", env: "prod" };
  const sealed = await kms("Encrypt", { KeyId, Plaintext: bytes("hello"), EncryptionContext });
  const back = { env: "prod", app: "pay" }; // in another order
  const opened = await kms("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: back });
  same(opened.Plaintext, bytes("hello"));
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
  const unwrapped = await kms("Decrypt", { CiphertextBlob: dataKey.CiphertextBlob, EncryptionContext });
  same(unwrapped.Plaintext, dataKey.Plaintext);
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

export async function signaturesAndMacs() {
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

export async function agreement() {
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

export async function grants(who) {
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

export async function bringYourOwnKey() {
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

/** Of a key in two Regions; SECOND_REGION has a keyring of the account. */
export async function severalRegions() {
  const there = kmsWith({ region: process.env.SECOND_REGION });
  const made = await create({ MultiRegion: true });
  const KeyId = made.KeyId;
  assert.match(KeyId, /^mrk-[0-9a-f]{32}$/);
  const { ReplicaKeyMetadata } = await kms("ReplicateKey", { KeyId, ReplicaRegion: process.env.SECOND_REGION });
  assert.equal(ReplicaKeyMetadata.KeyId, KeyId);
  const sealed = await kms("Encrypt", { KeyId, Plaintext: bytes("hello") });
  same((await there("Decrypt", { KeyId, CiphertextBlob: sealed.CiphertextBlob })).Plaintext, bytes("hello"));
  await kms("UpdatePrimaryRegion", { KeyId, PrimaryRegion: process.env.SECOND_REGION });
  const told = (await there("DescribeKey", { KeyId })).KeyMetadata;
  assert.equal(told.MultiRegionConfiguration.MultiRegionKeyType, "PRIMARY");
}
