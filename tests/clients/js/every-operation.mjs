// The AWS SDK for JavaScript v3, unmodified, over every operation of AWS KMS, STS and IAM that Keystead offers.
//
// The environment points it at a server (`keystead env aws`); OFFERED names the operations that the server offers, as
// "kms:Encrypt" and so on. What it prints is a JSON object: service -> the operations that went well. Whatever does
// not go as AWS documents it ends the process with a status other than 0.

import { done } from "./clients.mjs";
import * as identities from "./identities.mjs";
import * as keys from "./keys.mjs";

const offered = new Set(JSON.parse(process.env.OFFERED));
// part -> an operation without which there is nothing for it to do
const parts = [
  [keys.aLife],
  [keys.listings],
  [keys.policiesTagsAndAliases],
  [keys.encryption],
  [keys.signaturesAndMacs],
  [keys.agreement],
  [keys.grants],
  [keys.bringYourOwnKey],
  [keys.severalRegions, "kms:ReplicateKey"],
  [identities.users],
  [identities.roles],
  [identities.groups, "iam:CreateGroup"],
  [identities.managedPolicies, "iam:CreatePolicy"],
  [identities.boundaries, "iam:PutUserPermissionsBoundary"],
  [identities.tags, "iam:TagUser"],
  [identities.identityProviders, "iam:CreateOpenIDConnectProvider"],
  [identities.lastUse, "iam:GetAccessKeyLastUsed"],
];

const who = await identities.whoAmI();
for (const [part, needs] of parts) {
  if (needs === undefined || offered.has(needs)) await part(who);
}
const sorted = Object.entries(done).map(([service, operations]) => [service, [...operations].sort()]);
console.log(JSON.stringify(Object.fromEntries(sorted)));
