// Parses every Apex class and trigger: what has a mistake in its syntax ends this with status 1. Types
// and queries are not looked at, which only an org can do.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApexParserFactory, ApexErrorListener } from '@apexdevtools/apex-parser';

const root = 'force-app/main/default';
let faults = 0;

class Faults extends ApexErrorListener {
    constructor(file) {
        super();
        this.file = file;
    }
    apexSyntaxError(line, column, message) {
        faults++;
        console.error(`${this.file}:${line}:${column}: ${message}`);
    }
}

const files = ['classes', 'triggers'].flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name)));
const sources = files.filter((name) => name.endsWith('.cls') || name.endsWith('.trigger'));
for (const name of sources) {
    const trigger = name.endsWith('.trigger');
    const parser = ApexParserFactory.createParser(readFileSync(name, 'utf8'), trigger);
    parser.removeErrorListeners();
    parser.addErrorListener(new Faults(name));
    if (trigger) {
        parser.triggerUnit();
    } else {
        parser.compilationUnit();
    }
}
console.log(`${sources.length} sources, ${faults} faults`);
process.exitCode = faults > 0 || sources.length === 0 ? 1 : 0;
