// Drives a simulated org with jsforce as it comes from its package. The Go
// test beside this file starts the simulator and passes, in the environment:
// SIMULATOR_URL, and JWT_KEY (a PEM private key whose public half it trusts).
import assert from 'node:assert/strict';
import { createSign } from 'node:crypto';
import jsforce from 'jsforce';

const url = process.env.SIMULATOR_URL;
const version = '65.0';
const rows = 2345; // more than one page of a query

const done = (what) => console.log(`ok ${what}`);

async function clientCredentials() {
  const conn = new jsforce.Connection({
    instanceUrl: url, loginUrl: url, version,
    oauth2: { clientId: 'demo', clientSecret: 'demo', loginUrl: url },
  });
  const user = await conn.authorize({ grant_type: 'client_credentials' });
  assert.match(conn.accessToken, /^00D\w{12}!/);
  assert.equal(user.id.length, 18);
  const identity = await conn.identity();
  assert.equal(identity.user_id, user.id);
  const versions = await fetch(`${url}/services/data`).then((r) => r.json());
  assert.equal(versions.at(-1).version, '67.0');
  done('client credentials, identity, versions');
  return conn;
}

async function jwtBearer() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256' })}.${part({
    iss: 'demo', sub: 'integration@simulator.example.com', aud: 'https://login.salesforce.com', exp: Math.floor(Date.now() / 1000) + 120,
  })}`;
  const signature = createSign('RSA-SHA256').update(signed).sign(process.env.JWT_KEY).toString('base64url');
  const conn = new jsforce.Connection({ instanceUrl: url, loginUrl: url, version, oauth2: { clientId: 'demo', loginUrl: url } });
  await conn.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: `${signed}.${signature}` });
  assert.equal((await conn.query('SELECT Id FROM Organization')).totalSize, 1);
  const forged = new jsforce.Connection({ instanceUrl: url, loginUrl: url, version, oauth2: { clientId: 'demo', loginUrl: url } });
  await assert.rejects(forged.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: `${signed}.AAAA` }), { name: 'invalid_grant' });
  done('JWT bearer, and a forged one refused');
}

async function byUserName() {
  const soap = new jsforce.Connection({ instanceUrl: url, loginUrl: url, version });
  const user = await soap.login('demo', 'demo');
  assert.equal(user.organizationId.length, 18);
  assert.equal((await soap.query('SELECT Id FROM Organization')).records[0].Id, user.organizationId);
  const token = soap.accessToken;
  await soap.logout();
  const after = new jsforce.Connection({ instanceUrl: url, accessToken: token, version });
  await assert.rejects(after.query('SELECT Id FROM Lead'), { errorCode: 'INVALID_SESSION_ID' });
  await assert.rejects(soap.login('demo', 'wrong'), /^Error: INVALID_LOGIN: Invalid username, password/);

  const oauth2 = { clientId: 'demo', clientSecret: 'demo', loginUrl: url };
  const oauth = new jsforce.Connection({ instanceUrl: url, loginUrl: url, version, oauth2 });
  assert.equal((await oauth.login('demo', 'demo')).id, user.id);
  assert.equal((await oauth.query('SELECT Id FROM Organization')).totalSize, 1);
  await assert.rejects(oauth.login('demo', 'wrong'), { name: 'invalid_grant' });

  // A dead session is replaced by the refresh token, without the caller's help.
  const refreshed = new jsforce.Connection({ instanceUrl: url, version, oauth2, accessToken: token, refreshToken: 'demo' });
  assert.equal((await refreshed.query('SELECT Id FROM Organization')).totalSize, 1);
  assert.notEqual(refreshed.accessToken, token);
  done('user name and password by SOAP and OAuth, logout, refresh token');
}

async function byToken(conn) {
  const again = new jsforce.Connection({ instanceUrl: url, accessToken: conn.accessToken, version });
  assert.ok((await again.limits()).DailyApiRequests.Max > 0);
  assert.ok(again.limitInfo.apiUsage.used > 0);
  const stranger = new jsforce.Connection({ instanceUrl: url, accessToken: '00Dxx!no', version });
  await assert.rejects(stranger.query('SELECT Id FROM Lead'), { errorCode: 'INVALID_SESSION_ID' });
  done('session by token, limits, a bad session refused');
}

async function describe(conn) {
  const global = await conn.describeGlobal();
  assert.ok(global.sobjects.some((o) => o.name === 'Turnout_Registration__c' && o.custom));
  const object = await conn.describe('Turnout_Registration__c');
  const field = (name) => object.fields.find((f) => f.name === name);
  assert.deepEqual([field('Idempotency_Key__c').externalId, field('Idempotency_Key__c').unique, field('Idempotency_Key__c').length], [true, true, 64]);
  assert.equal(field('Status__c').restrictedPicklist, true);
  assert.ok(field('Status__c').picklistValues.some((v) => v.value === 'No-Show'));
  assert.deepEqual([field('Event__c').type, field('Event__c').referenceTo[0], field('Event__c').relationshipName], ['reference', 'Turnout_Event__c', 'Event__r']);
  const event = await conn.describe('Turnout_Event__c');
  assert.ok(event.childRelationships.some((c) => c.relationshipName === 'Tickets__r' && c.childSObject === 'Turnout_Ticket__c'));
  done('describe global and objects');
}

async function records(conn) {
  const event = await conn.sobject('Turnout_Event__c').create({ Name: 'Proof', Public_Id__c: 'proof-1', Slug__c: 'proof', Status__c: 'Published' });
  assert.ok(event.success);
  const one = await conn.sobject('Turnout_Event__c').retrieve(event.id);
  assert.deepEqual([one.Name, one.attributes.type, one.Online__c, one.Seats__c], ['Proof', 'Turnout_Event__c', false, null]);
  assert.ok((await conn.sobject('Turnout_Event__c').update({ Id: event.id, Seats__c: 12 })).success);
  const again = await conn.sobject('Turnout_Event__c').upsert({ Public_Id__c: 'proof-1', Venue__c: "Miller's yard" }, 'Public_Id__c');
  assert.equal(again.id, event.id);
  assert.equal((await conn.query("SELECT Seats__c FROM Turnout_Event__c WHERE Venue__c = 'Miller\\'s yard'")).records[0].Seats__c, 12);
  await assert.rejects(conn.sobject('Turnout_Event__c').create({ Public_Id__c: 'nameless' }), { errorCode: 'REQUIRED_FIELD_MISSING' });
  await assert.rejects(conn.sobject('Turnout_Nothing__c').create({ Name: 'x' }), { errorCode: 'NOT_FOUND' });
  done('create, retrieve, update, upsert by an external id');
  return event.id;
}

const registration = (i) => ({
  Idempotency_Key__c: `js-${i}`, First_Name__c: 'Vega', Last_Name__c: `Lindenwood ${i}`, Email__c: `p${i}@example.com`,
  Status__c: 'Registered', Event__r: { Public_Id__c: 'proof-1' },
});

async function collections(conn) {
  const batch = Array.from({ length: 200 }, (_, i) => registration(i));
  batch[7].Email__c = 'not an address';
  batch[9].Status__c = 'Maybe';
  const results = await conn.sobject('Turnout_Registration__c').upsert(batch, 'Idempotency_Key__c', { allOrNone: false });
  assert.equal(results.length, 200);
  assert.equal(results.filter((r) => r.success).length, 198);
  assert.equal(results[7].errors[0].statusCode, 'INVALID_EMAIL_ADDRESS');
  assert.equal(results[9].errors[0].statusCode, 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST');
  batch[7].Email__c = 'p7@example.com';
  batch[9].Status__c = 'Waitlisted';
  const healed = await conn.sobject('Turnout_Registration__c').upsert(batch, 'Idempotency_Key__c');
  assert.ok(healed.every((r) => r.success));
  assert.equal(healed.filter((r) => r.created).length, 2);
  assert.equal((await conn.query('SELECT COUNT() FROM Turnout_Registration__c')).totalSize, 200);
  done('collections upsert with a partial failure, repeated without duplicates');
}

async function bulk(conn) {
  const input = Array.from({ length: rows - 200 + 5 }, (_, i) => {
    const { Event__r, ...row } = registration(i + 195); // five are there already
    return { ...row, 'Event__r.Public_Id__c': Event__r.Public_Id__c };
  });
  input[100].Last_Name__c = 'x'.repeat(81);
  const job = await conn.bulk2.loadAndWaitForResults({
    object: 'Turnout_Registration__c', operation: 'upsert', externalIdFieldName: 'Idempotency_Key__c', input, pollInterval: 50, pollTimeout: 30000,
  });
  assert.equal(job.successfulResults.length, input.length - 1);
  assert.equal(job.successfulResults.filter((r) => r.sf__Created === 'true').length, input.length - 6);
  assert.match(job.failedResults[0].sf__Error, /^STRING_TOO_LONG:.*:Last_Name__c --/);
  assert.equal(job.unprocessedRecords.length, 0);
  await conn.sobject('Turnout_Registration__c').upsert([registration(295)], 'Idempotency_Key__c');
  conn.bulk2.pollInterval = 50;
  const found = await (await conn.bulk2.query('SELECT Id, Idempotency_Key__c, Event__r.Public_Id__c FROM Turnout_Registration__c')).toArray();
  assert.equal(found.length, rows);
  assert.equal(found[0]['Event__r.Public_Id__c'], 'proof-1');
  done('Bulk API 2.0, in and out');
}

async function paging(conn) {
  const query = 'SELECT Id, Name, Email__c, Event__r.Name FROM Turnout_Registration__c ORDER BY Idempotency_Key__c';
  const first = await conn.query(query);
  assert.deepEqual([first.totalSize, first.done, first.records.length], [rows, false, 2000]);
  const second = await conn.queryMore(first.nextRecordsUrl);
  assert.deepEqual([second.done, second.records.length, second.records[0].Event__r.Name], [true, rows - 2000, 'Proof']);
  assert.equal(new Set([...first.records, ...second.records].map((r) => r.Id)).size, rows);
  const all = await conn.query(query, { autoFetch: true, maxFetch: 10000 });
  assert.equal(all.records.length, rows);
  await assert.rejects(conn.query('SELECT Nothing__c FROM Lead'), { errorCode: 'INVALID_FIELD' });
  await assert.rejects(conn.query('SELECT Id FROM XYZZY'), { errorCode: 'INVALID_TYPE' });
  await assert.rejects(conn.query('SELECT Id FROM'), { errorCode: 'MALFORMED_QUERY' });
  const found = await conn.sobject('Turnout_Registration__c').find({ Last_Name__c: { $like: 'Lindenwood 1%' }, Status__c: 'Registered' }, 'Id, Last_Name__c').sort('-Last_Name__c').limit(3);
  assert.equal(found.length, 3);
  done('query of more than 2,000 rows with paging');
}

async function several(conn) {
  const tree = await conn.requestPost('/composite/tree/Account', {
    records: [{
      attributes: { type: 'Account', referenceId: 'firm' }, Name: 'Tree', Contacts: {
        records: [{ attributes: { type: 'Contact', referenceId: 'person' }, LastName: 'Branch' }],
      },
    }],
  });
  assert.deepEqual([tree.hasErrors, tree.results.map((r) => r.referenceId)], [false, ['firm', 'person']]);
  const batch = await conn.requestPost('/composite/batch', {
    batchRequests: [
      { method: 'GET', url: `v${version}/sobjects/Account/${tree.results[0].id}?fields=Name` },
      { method: 'PATCH', url: `v${version}/sobjects/Account/${tree.results[0].id}`, richInput: { Name: 'Trunk' } },
      { method: 'GET', url: `v${version}/sobjects/Nothing__c` },
    ],
  });
  assert.deepEqual([batch.hasErrors, batch.results.map((r) => r.statusCode)], [true, [200, 204, 404]]);
  assert.equal(batch.results[0].result.Name, 'Tree');

  const [start, end] = [new Date(Date.now() - 60_000).toISOString(), new Date(Date.now() + 60_000).toISOString()];
  assert.ok((await conn.sobject('Account').updated(start, end)).ids.includes(tree.results[0].id));
  await conn.sobject('Account').destroy(tree.results[0].id);
  const { deletedRecords } = await conn.sobject('Account').deleted(start, end);
  assert.deepEqual(deletedRecords.map((r) => r.id), [tree.results[0].id]);

  const large = (n) => conn.query(`SELECT Event__r.Name, COUNT(Id) n FROM Turnout_Registration__c GROUP BY Event__r.Name HAVING COUNT(Id) > ${n}`);
  assert.equal((await large(rows - 1)).records[0].n, rows);
  assert.equal((await large(rows)).totalSize, 0);
  await assert.rejects(conn.search('FIND {Vega} IN ALL FIELDS RETURNING Lead(Id)'), { errorCode: 'NOT_FOUND' });
  await assert.rejects(conn.sobject('Lead').layouts(), { errorCode: 'NOT_FOUND' });
  done('tree, batch, updated and deleted, HAVING; no SOSL, no layouts');
}

async function remove(conn, event) {
  const { records } = await conn.query('SELECT Id FROM Turnout_Registration__c LIMIT 3');
  assert.ok((await conn.sobject('Turnout_Registration__c').destroy(records.map((r) => r.Id))).every((r) => r.success));
  assert.ok((await conn.sobject('Turnout_Event__c').destroy(event)).success);
  assert.equal((await conn.query('SELECT COUNT() FROM Turnout_Registration__c WHERE Event__c != null')).totalSize, 0);
  await assert.rejects(conn.sobject('Turnout_Event__c').destroy(event), { errorCode: 'ENTITY_IS_DELETED' });
  done('delete, and lookups that let go');
}

const conn = await clientCredentials();
await jwtBearer();
await byUserName();
await byToken(conn);
await describe(conn);
const event = await records(conn);
await collections(conn);
await bulk(conn);
await paging(conn);
await several(conn);
await remove(conn, event);
