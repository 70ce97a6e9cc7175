import { api } from 'lwc';
import TurnoutAction from 'c/turnoutAction';
import updatePage from '@salesforce/apex/TurnoutActions.updatePage';

/** The button Update Page. */
export default class TurnoutUpdate extends TurnoutAction {
    @api recordId;

    @api async invoke() {
        await this.run(updatePage, 'Update asked for', 'The page shows in a moment what the event says now, if that is published.');
    }
}
