import { LightningElement, api } from 'lwc';
import { getBarcodeScanner } from 'lightning/mobileCapabilities';
import find from '@salesforce/apex/TurnoutDoor.find';
import scanned from '@salesforce/apex/TurnoutDoor.scanned';
import admit from '@salesforce/apex/TurnoutDoor.admit';
import takeBack from '@salesforce/apex/TurnoutDoor.takeBack';
import count from '@salesforce/apex/TurnoutDoor.count';

const GOOD = 'slds-box slds-theme_success';
const BAD = 'slds-box slds-theme_error';
const PLAIN = 'slds-box slds-theme_info';

/**
 * The door of an event. In Salesforce's mobile app it scans the QR codes of tickets and lets in at
 * once who is expected; everywhere it finds by reference, e-mail address or name, and a person decides.
 */
export default class TurnoutDoor extends LightningElement {
    id;
    text = '';
    tally;
    said;
    found = [];
    // Whom this door let in, and from which status: that can be taken back.
    before = new Map();
    running = false;
    scanner;

    /** The event's. A quick action sets it after the component is there. */
    @api
    get recordId() {
        return this.id;
    }
    set recordId(id) {
        this.id = id;
        this.found = [];
        this.said = undefined;
        this.before.clear();
        this.recount();
    }

    connectedCallback() {
        this.scanner = getBarcodeScanner?.();
    }

    get canScan() {
        return Boolean(this.scanner?.isAvailable());
    }

    get shown() {
        return this.found.map((one) => ({
            ...one,
            about: [one.company, one.ticket, one.guests ? `with ${one.guests} ${one.guests === 1 ? 'guest' : 'guests'}` : ''].filter(Boolean).join(' · '),
            standing: standing(one),
            mayEnter: one.expected && !one.elsewhere,
            undo: one.inside && this.before.has(one.recordId)
        }));
    }

    typed(event) {
        this.text = event.target.value;
    }

    async key(event) {
        if (event.key === 'Enter') {
            await this.look();
        }
    }

    /** Finds whom the typed text belongs to. */
    async look() {
        await this.once(async () => {
            this.found = [];
            this.found = await find({ eventId: this.recordId, text: this.text });
            this.said = this.found.length ? undefined : unknown();
        });
    }

    /** Scans one ticket and lets its owner in, if they are expected. */
    async scan() {
        await this.once(async () => {
            let codes;
            try {
                codes = await this.scanner.scan({ barcodeTypes: [this.scanner.barcodeTypes.QR], instructionText: 'Hold the code of a ticket before the camera', vibrateOnSuccess: true });
            } catch (error) {
                if (/dismiss/i.test(error?.code ?? '')) {
                    return; // whoever closes the camera knows it
                }
                throw error;
            } finally {
                this.scanner.dismiss();
            }
            this.found = await scanned({ eventId: this.recordId, code: codes?.[0]?.value ?? '' });
            if (this.found.length !== 1) {
                this.said = unknown();
                return;
            }
            await this.letIn(this.found[0]);
        });
    }

    /** The button Check in. */
    async enter(event) {
        const id = event.target.dataset.record;
        await this.once(() => this.letIn(this.found.find((one) => one.recordId === id)));
    }

    async letIn(one) {
        const now = await admit({ eventId: this.recordId, recordId: one.recordId });
        this.change(now);
        if (now.admitted) {
            this.before.set(now.recordId, one.status);
            this.said = { style: GOOD, title: now.name, text: now.guests ? `Welcome, and ${now.guests} more.` : 'Welcome.' };
            await this.recount();
        } else {
            this.said = { style: BAD, title: now.name, text: standing(now) };
        }
    }

    /** The button Take back. */
    async undo(event) {
        const id = event.target.dataset.record;
        await this.once(async () => {
            this.change(await takeBack({ eventId: this.recordId, recordId: id, status: this.before.get(id) }));
            this.before.delete(id);
            this.said = undefined;
            await this.recount();
        });
    }

    change(now) {
        this.found = this.found.map((one) => (one.recordId === now.recordId ? now : one));
    }

    /** One thing at a time; what goes wrong is said. */
    async once(work) {
        if (this.running) {
            return;
        }
        this.running = true;
        try {
            await work();
        } catch (error) {
            this.said = { style: BAD, title: 'That did not work', text: error?.body?.message ?? error?.message ?? 'Try again.' };
        } finally {
            this.running = false;
        }
    }

    async recount() {
        if (!this.id) {
            return;
        }
        try {
            this.tally = await count({ eventId: this.recordId });
        } catch {
            this.tally = undefined; // the door works without a count
        }
    }
}

function unknown() {
    return {
        style: PLAIN,
        title: 'Not found',
        text: 'A registration of the last minutes may not have arrived in Salesforce: look at the page on their phone.'
    };
}

/** How somebody stands at this door, in words. */
function standing(one) {
    if (one.elsewhere) {
        return `This ticket is for ${one.elsewhere}.`;
    }
    if (one.inside) {
        return 'Inside.';
    }
    return one.expected ? 'Expected.' : `Not expected: ${one.status ?? 'no status'}.`;
}
