import { LightningElement, api } from 'lwc';
import { ShowToastEvent } from 'lightning/platformShowToastEvent';
import { notifyRecordUpdateAvailable } from 'lightning/uiRecordApi';

/** What the buttons have in common: one call at a time, and a word about how it went. */
export default class TurnoutAction extends LightningElement {
    @api recordId;

    running = false;

    /** Calls a method of TurnoutActions for the record, and says title and message if it went well. */
    async run(method, title, message) {
        if (this.running) {
            return;
        }
        this.running = true;
        try {
            await method({ recordId: this.recordId });
            this.say(title, message, 'success');
            await notifyRecordUpdateAvailable([{ recordId: this.recordId }]);
        } catch (error) {
            this.say('Nothing was changed', error?.body?.message ?? error?.message ?? 'Try again.', 'error');
        } finally {
            this.running = false;
        }
    }

    say(title, message, variant) {
        this.dispatchEvent(new ShowToastEvent({ title, message, variant }));
    }
}
