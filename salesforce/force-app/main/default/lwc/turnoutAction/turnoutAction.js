import { LightningElement } from 'lwc';
import { ShowToastEvent } from 'lightning/platformShowToastEvent';
import { notifyRecordUpdateAvailable } from 'lightning/uiRecordApi';

/**
 * What the buttons have in common: one call at a time, and a word about how it went. Whoever
 * extends it has a recordId.
 */
export default class TurnoutAction extends LightningElement {
    running = false;

    /** Calls a method of TurnoutActions for the record, and says title and message if it went well. */
    async run(method, title, message) {
        if (this.running) {
            return;
        }
        this.running = true;
        try {
            const told = await method({ recordId: this.recordId });
            if (told) {
                this.say(title, message, 'success');
            } else {
                this.say(title, 'Turnout finds it by itself within a minute; at once, if an admin makes the Turnout Settings.', 'warning');
            }
        } catch (error) {
            this.say('Nothing was changed', error?.body?.message ?? error?.message ?? 'Try again.', 'error');
            return;
        } finally {
            this.running = false;
        }
        await notifyRecordUpdateAvailable([{ recordId: this.recordId }]);
    }

    say(title, message, variant) {
        this.dispatchEvent(new ShowToastEvent({ title, message, variant }));
    }
}
