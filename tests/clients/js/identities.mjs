// AWS IAM and STS: who there is, what they may do, and sessions.

import assert from "node:assert/strict";
import { document, fails, iam, kmsWith, named, sts } from "./clients.mjs";

const LIST_KEYS = { Effect: "Allow", Action: "kms:ListKeys", Resource: "*" };

export async function whoAmI() {
  const who = await sts("GetCallerIdentity");
  assert.match(who.Arn, /^arn:aws:iam::\d{12}:user\//);
  const session = (await sts("GetSessionToken")).Credentials;
  assert.equal((await sts("GetAccessKeyInfo", { AccessKeyId: process.env.AWS_ACCESS_KEY_ID })).Account, who.Account);
  const credentials = {
    accessKeyId: session.AccessKeyId,
    secretAccessKey: session.SecretAccessKey,
    sessionToken: session.SessionToken,
  };
  const withSession = kmsWith({ credentials });
  assert.ok((await withSession("ListKeys", { Limit: 1 })).Keys.length <= 1);
  const forged = { ...credentials, sessionToken: `${credentials.sessionToken.slice(0, -8)}AAAAAAAA` };
  await fails(kmsWith({ credentials: forged })("ListKeys"), "UnrecognizedClientException");
  return who;
}

export async function users() {
  const UserName = named("js");
  const { User } = await iam("CreateUser", { UserName });
  assert.equal((await iam("GetUser", { UserName })).User.Arn, User.Arn);
  assert.ok((await iam("ListUsers")).Users.some((one) => one.Arn === User.Arn));
  const PolicyDocument = document(LIST_KEYS);
  await iam("PutUserPolicy", { UserName, PolicyName: "p", PolicyDocument });
  assert.deepEqual((await iam("ListUserPolicies", { UserName })).PolicyNames, ["p"]);
  const kept = await iam("GetUserPolicy", { UserName, PolicyName: "p" });
  assert.equal(decodeURIComponent(kept.PolicyDocument), PolicyDocument);
  const { AccessKey } = await iam("CreateAccessKey", { UserName });
  const credentials = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  const asUser = kmsWith({ credentials });
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

export async function roles(who) {
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

/** A new user with an access key, and a KMS client that is that user. */
async function newUser() {
  const UserName = named("js");
  const { User } = await iam("CreateUser", { UserName });
  const { AccessKey } = await iam("CreateAccessKey", { UserName });
  const credentials = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  return { UserName, User, AccessKeyId: AccessKey.AccessKeyId, asUser: kmsWith({ credentials }) };
}

async function gone({ UserName, AccessKeyId }) {
  await iam("DeleteAccessKey", { UserName, AccessKeyId });
  await iam("DeleteUser", { UserName });
}

export async function groups() {
  const user = await newUser();
  const { UserName, asUser } = user;
  let GroupName = named("js");
  const { Group } = await iam("CreateGroup", { GroupName });
  assert.ok((await iam("ListGroups")).Groups.some((one) => one.Arn === Group.Arn));
  await iam("PutGroupPolicy", { GroupName, PolicyName: "p", PolicyDocument: document(LIST_KEYS) });
  assert.deepEqual((await iam("ListGroupPolicies", { GroupName })).PolicyNames, ["p"]);
  const kept = await iam("GetGroupPolicy", { GroupName, PolicyName: "p" });
  assert.equal(decodeURIComponent(kept.PolicyDocument), document(LIST_KEYS));
  await fails(asUser("ListKeys"), "AccessDeniedException");
  await iam("AddUserToGroup", { GroupName, UserName });
  assert.ok((await asUser("ListKeys")).Keys);
  assert.deepEqual((await iam("GetGroup", { GroupName })).Users.map((one) => one.UserName), [UserName]);
  assert.deepEqual((await iam("ListGroupsForUser", { UserName })).Groups.map((one) => one.GroupName), [GroupName]);
  const NewGroupName = named("js");
  await iam("UpdateGroup", { GroupName, NewGroupName });
  GroupName = NewGroupName;
  assert.ok((await asUser("ListKeys")).Keys);
  await iam("RemoveUserFromGroup", { GroupName, UserName });
  await fails(asUser("ListKeys"), "AccessDeniedException");
  await iam("DeleteGroupPolicy", { GroupName, PolicyName: "p" });
  await iam("DeleteGroup", { GroupName });
  await gone(user);
}

export async function managedPolicies(who) {
  const user = await newUser();
  const { UserName, asUser } = user;
  const GroupName = named("js");
  const RoleName = named("js");
  const trust = { Effect: "Allow", Principal: { AWS: who.Account }, Action: "sts:AssumeRole" };
  await iam("CreateGroup", { GroupName });
  await iam("CreateRole", { RoleName, AssumeRolePolicyDocument: document(trust) });
  const made = await iam("CreatePolicy", { PolicyName: named("js"), PolicyDocument: document(LIST_KEYS) });
  const { Arn: PolicyArn } = made.Policy;
  assert.ok((await iam("ListPolicies", { Scope: "Local" })).Policies.some((one) => one.Arn === PolicyArn));
  await iam("AttachUserPolicy", { UserName, PolicyArn });
  await iam("AttachGroupPolicy", { GroupName, PolicyArn });
  await iam("AttachRolePolicy", { RoleName, PolicyArn });
  assert.equal((await iam("GetPolicy", { PolicyArn })).Policy.AttachmentCount, 3);
  const entities = await iam("ListEntitiesForPolicy", { PolicyArn });
  assert.deepEqual(entities.PolicyUsers.map((one) => one.UserName), [UserName]);
  const attached = [{ PolicyArn, PolicyName: made.Policy.PolicyName }];
  assert.deepEqual((await iam("ListAttachedUserPolicies", { UserName })).AttachedPolicies, attached);
  assert.deepEqual((await iam("ListAttachedGroupPolicies", { GroupName })).AttachedPolicies, attached);
  assert.deepEqual((await iam("ListAttachedRolePolicies", { RoleName })).AttachedPolicies, attached);
  assert.ok((await asUser("ListKeys")).Keys);
  const nothing = document({ ...LIST_KEYS, Effect: "Deny" });
  const { PolicyVersion } = await iam("CreatePolicyVersion", { PolicyArn, PolicyDocument: nothing });
  const { VersionId } = PolicyVersion;
  assert.ok((await asUser("ListKeys")).Keys); // it is not in force yet
  await iam("SetDefaultPolicyVersion", { PolicyArn, VersionId });
  await fails(asUser("ListKeys"), "AccessDeniedException");
  const told = (await iam("GetPolicyVersion", { PolicyArn, VersionId })).PolicyVersion;
  assert.equal(decodeURIComponent(told.Document), nothing);
  assert.equal((await iam("ListPolicyVersions", { PolicyArn })).Versions.length, 2);
  await iam("DeletePolicyVersion", { PolicyArn, VersionId: "v1" });
  await iam("DetachUserPolicy", { UserName, PolicyArn });
  await iam("DetachGroupPolicy", { GroupName, PolicyArn });
  await iam("DetachRolePolicy", { RoleName, PolicyArn });
  await iam("DeletePolicy", { PolicyArn });
  await iam("DeleteGroup", { GroupName });
  await iam("DeleteRole", { RoleName });
  await gone(user);
}

export async function boundaries(who) {
  const user = await newUser();
  const { UserName, asUser } = user;
  const RoleName = named("js");
  const trust = { Effect: "Allow", Principal: { AWS: who.Account }, Action: "sts:AssumeRole" };
  await iam("CreateRole", { RoleName, AssumeRolePolicyDocument: document(trust) });
  const PolicyDocument = document({ Effect: "Allow", Action: "kms:GenerateRandom", Resource: "*" });
  const { Arn: PermissionsBoundary } = (await iam("CreatePolicy", { PolicyName: named("js"), PolicyDocument })).Policy;
  const PolicyDocumentOfAll = document({ Effect: "Allow", Action: "kms:*", Resource: "*" });
  await iam("PutUserPolicy", { UserName, PolicyName: "p", PolicyDocument: PolicyDocumentOfAll });
  await iam("PutUserPermissionsBoundary", { UserName, PermissionsBoundary });
  await fails(asUser("ListKeys"), "AccessDeniedException");
  assert.equal((await asUser("GenerateRandom", { NumberOfBytes: 1 })).Plaintext.length, 1);
  await iam("DeleteUserPermissionsBoundary", { UserName });
  assert.ok((await asUser("ListKeys")).Keys);
  await iam("PutRolePermissionsBoundary", { RoleName, PermissionsBoundary });
  const told = (await iam("GetRole", { RoleName })).Role.PermissionsBoundary;
  assert.equal(told.PermissionsBoundaryArn, PermissionsBoundary);
  await iam("DeleteRolePermissionsBoundary", { RoleName });
  await iam("DeletePolicy", { PolicyArn: PermissionsBoundary });
  await iam("UpdateRole", { RoleName, Description: "changed" });
  assert.equal((await iam("UpdateRoleDescription", { RoleName, Description: "again" })).Role.Description, "again");
  assert.deepEqual((await iam("ListInstanceProfilesForRole", { RoleName })).InstanceProfiles, []);
  await iam("DeleteUserPolicy", { UserName, PolicyName: "p" });
  await iam("DeleteRole", { RoleName });
  await gone(user);
}

export async function tags(who) {
  const Tags = [{ Key: "Team", Value: "blue" }];
  const trust = { Effect: "Allow", Principal: { AWS: who.Account }, Action: "sts:AssumeRole" };
  const UserName = named("js");
  const RoleName = named("js");
  await iam("CreateUser", { UserName });
  await iam("CreateRole", { RoleName, AssumeRolePolicyDocument: document(trust) });
  const asked = { PolicyName: named("js"), PolicyDocument: document(LIST_KEYS) };
  const { Arn: PolicyArn } = (await iam("CreatePolicy", asked)).Policy;
  for (const [kind, name] of [["User", { UserName }], ["Role", { RoleName }], ["Policy", { PolicyArn }]]) {
    await iam(`Tag${kind}`, { ...name, Tags });
    assert.deepEqual((await iam(`List${kind}Tags`, name)).Tags, Tags);
    await iam(`Untag${kind}`, { ...name, TagKeys: ["Team"] });
    assert.deepEqual((await iam(`List${kind}Tags`, name)).Tags, []);
  }
  await iam("DeletePolicy", { PolicyArn });
  await iam("DeleteRole", { RoleName });
  await iam("DeleteUser", { UserName });
}

export async function identityProviders() {
  const Url = `https://${named("issuer")}.example.com`;
  const asked = { Url, ClientIDList: ["one"], ThumbprintList: ["a".repeat(40)] };
  const { OpenIDConnectProviderArn } = await iam("CreateOpenIDConnectProvider", asked);
  const listed = (await iam("ListOpenIDConnectProviders")).OpenIDConnectProviderList;
  assert.ok(listed.some((one) => one.Arn === OpenIDConnectProviderArn));
  await iam("AddClientIDToOpenIDConnectProvider", { OpenIDConnectProviderArn, ClientID: "two" });
  await iam("RemoveClientIDFromOpenIDConnectProvider", { OpenIDConnectProviderArn, ClientID: "one" });
  const ThumbprintList = ["b".repeat(40)];
  await iam("UpdateOpenIDConnectProviderThumbprint", { OpenIDConnectProviderArn, ThumbprintList });
  const told = await iam("GetOpenIDConnectProvider", { OpenIDConnectProviderArn });
  assert.deepEqual([told.ClientIDList, told.ThumbprintList], [["two"], ThumbprintList]);
  await iam("DeleteOpenIDConnectProvider", { OpenIDConnectProviderArn });
}

export async function lastUse() {
  const { AccessKeyLastUsed } = await iam("GetAccessKeyLastUsed", { AccessKeyId: process.env.AWS_ACCESS_KEY_ID });
  assert.ok(["iam", "kms", "sts", "N/A"].includes(AccessKeyLastUsed.ServiceName));
}
