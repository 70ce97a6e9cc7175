// A form as it is written by hand in Fastify on SQLite: what was posted goes into one
// row as JSON, and all that came in one turn of the event loop is one transaction.
// Nothing is validated, sealed, counted or kept from being sent twice.
//
// node server.mjs FILE    prints its address once it listens
import formbody from '@fastify/formbody';
import Database from 'better-sqlite3';
import Fastify from 'fastify';

const db = new Database(process.argv[2]);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
const insert = db.prepare('INSERT INTO rows (body) VALUES (?)');
const insertAll = db.transaction((jobs) => jobs.forEach((job) => insert.run(job.body)));

let waiting = [];

function commit() {
  const jobs = waiting;
  waiting = [];
  try {
    insertAll(jobs);
    jobs.forEach((job) => job.resolve());
  } catch (err) {
    jobs.forEach((job) => job.reject(err));
  }
}

function store(body) {
  return new Promise((resolve, reject) => {
    if (waiting.push({ body, resolve, reject }) === 1) setImmediate(commit);
  });
}

const app = Fastify();
app.register(formbody);
app.post('/events/:slug/register', async (request, reply) => {
  await store(JSON.stringify(request.body));
  return reply.code(303).header('location', '/registrations/x').send();
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
